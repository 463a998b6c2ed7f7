//! L-BFGS (Nocedal and Wright 2006, algorithm 7.5) for smooth convex functions.

use std::collections::VecDeque;

use tch::Tensor;

/// Steps that are remembered.
const MEMORY: usize = 10;

/// The share of the promised descent that a step has to bring (Armijo).
const ENOUGH: f64 = 1e-4;

/// So often is a step halved before it is given up.
const HALVINGS: usize = 30;

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    /// Where no number of the gradient is larger.
    pub(super) gradient: f64,
    /// After so many steps.
    pub(super) steps: usize,
}

/// The minimum of `f`, which gives its value and gradient, from `x` on.
pub(super) fn minimise(
    mut x: Tensor,
    stop: Stop,
    mut f: impl FnMut(&Tensor) -> (f64, Tensor),
) -> Tensor {
    let (mut value, mut gradient) = f(&x);
    let mut memory: VecDeque<(Tensor, Tensor, f64)> = VecDeque::new();
    for _ in 0..stop.steps {
        let steepest = gradient.abs().max().double_value(&[]);
        if steepest <= stop.gradient {
            break;
        }
        let direction = direction(&gradient, &memory);
        let slope = dot(&gradient, &direction);
        // The first step goes no further than 1 in any number.
        let mut length = if memory.is_empty() { steepest.recip().min(1.) } else { 1. };
        let mut found = None;
        for _ in 0..HALVINGS {
            let there = &x + &direction * length;
            let (lower, steep) = f(&there);
            if lower <= value + ENOUGH * length * slope {
                found = Some((there, lower, steep));
                break;
            }
            length /= 2.;
        }
        // Rounding leaves nothing lower.
        let Some((there, lower, steep)) = found else { break };
        let (step, bend) = (&there - &x, &steep - &gradient);
        let curvature = dot(&step, &bend);
        if curvature > 0. {
            if memory.len() == MEMORY {
                memory.pop_front();
            }
            memory.push_back((step, bend, curvature));
        }
        (x, value, gradient) = (there, lower, steep);
    }
    x
}

/// Minus the inverse Hessian, as far as it is remembered, times the gradient.
fn direction(gradient: &Tensor, memory: &VecDeque<(Tensor, Tensor, f64)>) -> Tensor {
    let mut q = gradient.copy();
    let mut shares = vec![];
    for (step, bend, curvature) in memory.iter().rev() {
        let share = dot(step, &q) / curvature;
        q -= bend * share;
        shares.push(share);
    }
    if let Some((_, bend, curvature)) = memory.back() {
        q *= *curvature / dot(bend, bend);
    }
    for ((step, bend, curvature), share) in memory.iter().zip(shares.into_iter().rev()) {
        let back = dot(bend, &q) / curvature;
        q += step * (share - back);
    }
    -q
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    a.flatten(0, -1).dot(&b.flatten(0, -1)).double_value(&[])
}

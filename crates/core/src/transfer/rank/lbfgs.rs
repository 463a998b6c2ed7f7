//! L-BFGS (Nocedal and Wright 2006, algorithm 7.5) for smooth convex functions.

use std::collections::VecDeque;

use tch::Tensor;

/// Steps in the memory.
const MEMORY: usize = 10;

/// The fraction of the predicted decrease that a step must bring (Armijo).
const ENOUGH: f64 = 1e-4;

/// How often a step is halved before the search gives up.
const HALVINGS: usize = 30;

/// The stopping criteria.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stop {
    /// The largest absolute element of the gradient.
    pub(super) gradient: f64,
    /// The most steps.
    pub(super) steps: usize,
}

/// Minimises `f`, which returns its value and gradient, starting from `x`.
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
        // The first step changes no element by more than 1.
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

/// Minus the inverse Hessian, as approximated from the memory, times the gradient.
fn direction(gradient: &Tensor, memory: &VecDeque<(Tensor, Tensor, f64)>) -> Tensor {
    let mut q = gradient.copy();
    let mut weights = vec![];
    for (step, bend, curvature) in memory.iter().rev() {
        let weight = dot(step, &q) / curvature;
        q -= bend * weight;
        weights.push(weight);
    }
    if let Some((_, bend, curvature)) = memory.back() {
        q *= *curvature / dot(bend, bend);
    }
    for ((step, bend, curvature), weight) in memory.iter().zip(weights.into_iter().rev()) {
        let back = dot(bend, &q) / curvature;
        q += step * (weight - back);
    }
    -q
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    a.flatten(0, -1).dot(&b.flatten(0, -1)).double_value(&[])
}

//! AdamW and the schedule of its learning rate.

use std::{
    f64::consts::PI,
    ffi::{c_char, c_void},
};

use tch::{Kind, Tensor, nn::VarStore};

use crate::{Result, shim};

unsafe extern "C" {
    /// See `shim.cpp`.
    fn crosstune_adamw(
        values: *const *const c_void,
        gradients: *const *const c_void,
        means: *const *const c_void,
        squares: *const *const c_void,
        count: usize,
        steps: *const c_void,
        divisor: *const c_void,
        lr: f64,
        beta1: f64,
        beta2: f64,
        decay: f64,
        eps: f64,
        problem: *mut c_char,
        capacity: usize,
    ) -> bool;
}

/// AdamW (Loshchilov and Hutter 2019) by PyTorch's fused kernel, which passes over the memory once.
/// tch's own optimizer lacks it, shares one rate between all groups and keeps its state to itself;
/// this one has a rate for each parameter.
#[derive(Debug)]
pub struct AdamW {
    params: Vec<Param>,
    /// Those of equal rate and decay, as indices into `params`.
    groups: Vec<Vec<usize>>,
    beta1: f64,
    beta2: f64,
    eps: f64,
    steps: i64,
}

#[derive(Debug)]
struct Param {
    value: Tensor,
    /// The running mean of gradients.
    mean: Tensor,
    /// The running mean of their squares.
    squares: Tensor,
    /// Multiplies the learning rate.
    rate: f64,
    /// Weight decay, zero for vectors.
    decay: f64,
}

impl AdamW {
    /// An optimizer for what trains in `store`. `rate` gives each parameter's multiple of the
    /// learning rate. Biases, norms and other vectors do not decay, as is usual.
    pub fn new(store: &VarStore, weight_decay: f64, rate: impl Fn(&str) -> f64) -> Self {
        let mut named: Vec<_> =
            store.variables().into_iter().filter(|(_, t)| t.requires_grad()).collect();
        // A hash map has no order, and the norm of all gradients depends on the order of its sum.
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
        let param = |(name, value): (String, Tensor)| Param {
            mean: value.zeros_like(),
            squares: value.zeros_like(),
            rate: rate(&name),
            decay: if value.dim() > 1 { weight_decay } else { 0. },
            value,
        };
        let params: Vec<Param> = named.into_iter().map(param).collect();
        let mut groups: Vec<Vec<usize>> = vec![];
        for (at, p) in params.iter().enumerate() {
            let alike =
                |g: &&mut Vec<usize>| (params[g[0]].rate, params[g[0]].decay) == (p.rate, p.decay);
            match groups.iter_mut().find(alike) {
                Some(group) => group.push(at),
                None => groups.push(vec![at]),
            }
        }
        Self { params, groups, beta1: 0.9, beta2: 0.999, eps: 1e-8, steps: 0 }
    }

    /// The gradient of a loss by each parameter, in the optimizer's order. They are handed over
    /// rather than added to `.grad`, which saves a pass to clear and a pass to add.
    ///
    /// # Errors
    /// If the loss does not depend on anything that trains.
    pub fn gradients(&self, loss: &Tensor) -> Result<Vec<Tensor>> {
        let values: Vec<&Tensor> = self.params.iter().map(|p| &p.value).collect();
        Ok(Tensor::f_run_backward(&[loss], &values, false, false)?)
    }

    /// Moves every parameter by its gradient, times `factor`: `w -= lr · m̂ / (√v̂ + eps)`, where
    /// `m̂` and `v̂` are the means of gradients and of their squares, corrected for their start at
    /// zero. A parameter without a gradient stands still.
    ///
    /// # Errors
    /// If libtorch refuses.
    pub fn step(&mut self, gradients: &[Tensor], factor: f64, lr: f64) -> Result<()> {
        self.steps += 1;
        for group in &self.groups {
            let Param { rate, decay, value, .. } = &self.params[group[0]];
            let lr = lr * rate;
            let moved: Vec<_> = group.iter().filter(|&&at| gradients[at].defined()).collect();
            if moved.is_empty() || lr == 0. {
                continue;
            }
            let scalar = |x: f64| Tensor::full([], x, (Kind::Float, value.device()));
            let (steps, divisor) = (scalar(self.steps as f64), scalar(factor.recip()));
            let values = pointers(moved.iter().map(|&&at| &self.params[at].value));
            let grads = pointers(moved.iter().map(|&&at| &gradients[at]));
            let means = pointers(moved.iter().map(|&&at| &self.params[at].mean));
            let squares = pointers(moved.iter().map(|&&at| &self.params[at].squares));
            let step = |problem, capacity| {
                // SAFETY: the four lists have `moved.len()` pointers to live tensors, alike in
                // shape; values, means and squares are contiguous, for the store makes them so.
                // No exception leaves the function.
                unsafe {
                    crosstune_adamw(
                        values.as_ptr(),
                        grads.as_ptr(),
                        means.as_ptr(),
                        squares.as_ptr(),
                        moved.len(),
                        steps.as_ptr().cast(),
                        divisor.as_ptr().cast(),
                        lr,
                        self.beta1,
                        self.beta2,
                        *decay,
                        self.eps,
                        problem,
                        capacity,
                    )
                }
            };
            shim::call(step, |&done| done).map_err(tch::TchError::Torch)?;
        }
        Ok(())
    }
}

fn pointers<'t>(tensors: impl Iterator<Item = &'t Tensor>) -> Vec<*const c_void> {
    tensors.map(|tensor| tensor.as_ptr().cast()).collect()
}

/// The factor that brings the common norm of gradients down to `max`; 1 where it is not above.
pub fn clip_factor(gradients: &[Tensor], max: f64) -> f64 {
    tch::no_grad(|| {
        let norms: Vec<_> = gradients.iter().filter(|g| g.defined()).map(Tensor::norm).collect();
        if norms.is_empty() {
            return 1.;
        }
        // The 1e-6 is PyTorch's.
        (max / (Tensor::stack(&norms, 0).norm().double_value(&[]) + 1e-6)).min(1.)
    })
}

/// Linear warm-up, then half a cosine down to zero (Loshchilov and Hutter 2017).
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    /// Steps of the warm-up.
    pub warmup: usize,
    /// All steps.
    pub total: usize,
}

impl Schedule {
    /// The share of the peak rate at a step counted from 0.
    pub fn at(&self, step: usize) -> f64 {
        if step < self.warmup {
            // The first step moves, too: from 1 of `warmup`, not from 0.
            return (step + 1) as f64 / self.warmup as f64;
        }
        let (past, all) = (step - self.warmup, self.total.saturating_sub(self.warmup).max(1));
        0.5 * (1. + (PI * past as f64 / all as f64).cos())
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, nn};

    use super::*;

    /// Against `torch.optim.AdamW([w], lr=0.1, weight_decay=0.01)` on the loss `(w ** 2).sum()`,
    /// three steps from `[[1, -2], [0.5, 0]]`.
    #[test]
    fn three_steps_are_pytorchs() {
        let store = nn::VarStore::new(Device::Cpu);
        let init = Tensor::from_slice(&[1f32, -2., 0.5, 0.]).view([2, 2]);
        let w = store.root().add("w", init, true);
        let mut adam = AdamW::new(&store, 0.01, |_| 1.);
        for _ in 0..3 {
            let gradients = adam.gradients(&w.square().sum(tch::Kind::Float)).unwrap();
            adam.step(&gradients, 1., 0.1).unwrap();
        }
        let want =
            Tensor::from_slice(&[0.698_911_25f32, -1.694_944_6, 0.203_712_4, 0.]).view([2, 2]);
        let off = (&w - want).abs().max().double_value(&[]);
        assert!(off < 1e-6, "off by {off}: {w}");
    }

    #[test]
    fn clipping_shortens_what_is_long() {
        let gradients =
            [Tensor::from_slice(&[3f32, 0.]), Tensor::new(), Tensor::from_slice(&[4f32])];
        assert!((clip_factor(&gradients, 1.) - 0.2).abs() < 1e-6);
        assert_eq!(clip_factor(&gradients, 6.), 1.);
        assert_eq!(clip_factor(&[Tensor::new()], 1.), 1.);
        // A first step of AdamW does not hang on the length; a second does.
        let store = nn::VarStore::new(Device::Cpu);
        let w = store.root().add("w", Tensor::from_slice(&[0f32]), true);
        let mut adam = AdamW::new(&store, 0., |_| 1.);
        let gradient = |x: f32| [Tensor::from_slice(&[x])];
        adam.step(&gradient(1.), 1., 0.1).unwrap();
        adam.step(&gradient(30.), 0.1, 0.1).unwrap();
        let (m, v) = (0.9 * 0.1 + 0.1 * 3., 0.999 * 0.001 + 0.001 * 9.);
        let want = -0.1 - 0.1 * (m / (1. - 0.81)) / f64::sqrt(v / (1. - 0.999 * 0.999));
        assert!((w.double_value(&[0]) - want).abs() < 1e-6, "{w} {want}");
        adam.step(&[Tensor::new()], 1., 0.1).unwrap();
        assert!((w.double_value(&[0]) - want).abs() < 1e-6, "without a gradient it moved");
    }

    #[test]
    fn the_rate_rises_and_falls() {
        let schedule = Schedule { warmup: 4, total: 24 };
        let rates: Vec<f64> = (0..24).map(|s| schedule.at(s)).collect();
        assert_eq!(rates[0], 0.25);
        assert_eq!(rates[3], 1.);
        assert_eq!(rates[4], 1.);
        assert!((rates[14] - 0.5).abs() < 1e-12);
        assert!(rates[23] > 0. && rates[23] < 0.01);
    }
}

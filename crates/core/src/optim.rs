//! AdamW and the schedule of its learning rate.

use std::f64::consts::PI;

use tch::{Tensor, nn::VarStore};

use crate::Result;

/// AdamW (Loshchilov and Hutter 2019) as PyTorch computes it. tch's own optimizer shares one rate
/// between all groups and keeps its state to itself; this one has a rate for each parameter.
#[derive(Debug)]
pub struct AdamW {
    params: Vec<Param>,
    beta1: f64,
    beta2: f64,
    eps: f64,
    steps: i32,
}

#[derive(Debug)]
struct Param {
    value: Tensor,
    /// The running mean of gradients.
    mean: Tensor,
    /// The running sum of squared gradients: the mean of them, divided by `1 - beta2`.
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
        let params = named.into_iter().map(|(name, value)| Param {
            mean: value.zeros_like(),
            squares: value.zeros_like(),
            rate: rate(&name),
            decay: if value.dim() > 1 { weight_decay } else { 0. },
            value,
        });
        Self { params: params.collect(), beta1: 0.9, beta2: 0.999, eps: 1e-8, steps: 0 }
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

    /// Moves every parameter by its gradient: `w -= lr · m̂ / (√v̂ + eps)`, where `m̂` and `v̂` are
    /// the means of gradients and of their squares, corrected for their start at zero.
    pub fn step(&mut self, gradients: &[Tensor], lr: f64) {
        self.steps += 1;
        let (beta1, beta2) = (self.beta1, self.beta2);
        let correct1 = 1. - beta1.powi(self.steps);
        let correct2 = 1. - beta2.powi(self.steps);
        tch::no_grad(|| {
            for (p, grad) in self.params.iter_mut().zip(gradients) {
                let lr = lr * p.rate;
                if !grad.defined() || lr == 0. {
                    continue;
                }
                if p.decay > 0. {
                    let _ = p.value.g_mul_scalar_(1. - lr * p.decay);
                }
                let _ = p.mean.lerp_(grad, 1. - beta1);
                let _ = p.squares.g_mul_scalar_(beta2).addcmul_(grad, grad);
                // All scalars of the formula are moved below the fraction, where they cost no pass
                // over the parameter of their own, and so is the sign.
                let scale = -correct1 / lr;
                let root = ((1. - beta2) / correct2).sqrt();
                let mut below = p.squares.sqrt();
                let _ = below.g_mul_scalar_(root * scale).g_add_scalar_(self.eps * scale);
                let _ = p.value.addcdiv_(&p.mean, &below);
            }
        });
    }
}

/// Scales gradients down together where their norm exceeds `max`; returns the norm before.
pub fn clip_norm(gradients: &mut [Tensor], max: f64) -> f64 {
    tch::no_grad(|| {
        let defined = |g: &&mut Tensor| g.defined();
        let norms: Vec<_> = gradients.iter_mut().filter(defined).map(|g| g.norm()).collect();
        if norms.is_empty() {
            return 0.;
        }
        let norm = Tensor::stack(&norms, 0).norm().double_value(&[]);
        // The 1e-6 is PyTorch's.
        let scale = max / (norm + 1e-6);
        if scale < 1. {
            for gradient in gradients.iter_mut().filter(defined) {
                let _ = gradient.g_mul_scalar_(scale);
            }
        }
        norm
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
            adam.step(&gradients, 0.1);
        }
        let want =
            Tensor::from_slice(&[0.698_911_25f32, -1.694_944_6, 0.203_712_4, 0.]).view([2, 2]);
        let off = (&w - want).abs().max().double_value(&[]);
        assert!(off < 1e-6, "off by {off}: {w}");
    }

    #[test]
    fn clipping_keeps_the_direction() {
        let store = nn::VarStore::new(Device::Cpu);
        let w = store.root().add("w", Tensor::from_slice(&[3f32, 4.]), true);
        let adam = AdamW::new(&store, 0., |_| 1.);
        let mut gradients = adam.gradients(&(w.square().sum(tch::Kind::Float) / 2.)).unwrap();
        assert!((clip_norm(&mut gradients, 1.) - 5.).abs() < 1e-6);
        assert!((gradients[0].double_value(&[0]) - 0.6).abs() < 1e-5);
        assert!((gradients[0].double_value(&[1]) - 0.8).abs() < 1e-5);
        assert!((clip_norm(&mut gradients, 2.) - 1.).abs() < 1e-5, "what is short stays");
        assert!((gradients[0].double_value(&[0]) - 0.6).abs() < 1e-5);
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

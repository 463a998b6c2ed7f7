//! AdamW.

use std::collections::BTreeMap;

use tch::Tensor;
use tch::nn::VarStore;

use crate::error::{Error, Result};
use crate::libtorch::{Moved, Step, fused_adamw};

/// AdamW (Loshchilov and Hutter 2019) by PyTorch's fused kernel, which passes over the memory once.
/// tch's own optimizer lacks it, has one rate for all groups and hides its state; here each
/// parameter has a rate, and parameters may be frozen and unfrozen.
#[derive(Debug)]
pub struct AdamW {
    params: Vec<Param>,
    /// The trainable ones, as indices into `params`.
    trained: Vec<usize>,
    /// Those with equal rate, decay and step count, as indices into `trained`.
    groups: Vec<Vec<usize>>,
    beta1: f64,
    beta2: f64,
    eps: f64,
}

#[derive(Debug)]
struct Param {
    name: String,
    value: Tensor,
    /// The running means of the gradients and of their squares, from the first step on.
    means: Option<[Tensor; 2]>,
    /// The number of its steps.
    steps: i64,
    /// Multiplies the learning rate.
    rate: f64,
    /// Weight decay, zero for vectors.
    decay: f64,
}

/// What the next steps of an [`AdamW`] depend on, beside parameters, rates and gradients.
#[derive(Debug, Default)]
pub struct AdamWState {
    /// Of each parameter that has made a step, by name.
    pub params: BTreeMap<String, ParamState>,
    /// The trainable parameters that step together, as indices into [`AdamW::trained`].
    pub groups: Vec<Vec<usize>>,
}

/// What the next step of one parameter depends on.
#[derive(Debug)]
pub struct ParamState {
    /// The number of its steps.
    pub steps: i64,
    /// The running means of its gradients and of their squares, of its shape.
    pub means: [Tensor; 2],
}

impl AdamW {
    /// An optimizer of the trainable parameters in `store`. `rate` gives each parameter's multiple
    /// of the learning rate, `weight_decay` its decay; biases, norms and other vectors do not
    /// decay, as is usual.
    pub fn new(
        store: &VarStore,
        weight_decay: impl Fn(&str) -> f64,
        rate: impl Fn(&str) -> f64,
    ) -> Self {
        let (params, trained, groups) = (vec![], vec![], vec![]);
        let mut new = Self { params, trained, groups, beta1: 0.9, beta2: 0.999, eps: 1e-8 };
        new.set_rates(store, weight_decay, rate);
        new
    }

    /// Sets other rates, and goes on with the parameters in `store` that are trainable now.
    pub fn set_rates(
        &mut self,
        store: &VarStore,
        weight_decay: impl Fn(&str) -> f64,
        rate: impl Fn(&str) -> f64,
    ) {
        for (name, value) in store.variables() {
            if value.requires_grad() && !self.params.iter().any(|p| p.name == name) {
                let (rate, decay) = (1., 0.);
                self.params.push(Param { name, value, means: None, steps: 0, rate, decay });
            }
        }
        // A hash map has no order, and the gradient norm depends on the order of its sum.
        self.params.sort_by(|a, b| a.name.cmp(&b.name));
        for p in &mut self.params {
            p.rate = rate(&p.name);
            p.decay = if p.value.dim() > 1 { weight_decay(&p.name) } else { 0. };
        }
        self.refresh_groups();
    }

    /// Resets the state to that of a new optimizer.
    pub fn reset_state(&mut self) {
        for param in &mut self.params {
            (param.means, param.steps) = (None, 0);
        }
        self.refresh_groups();
    }

    /// The state, with the optimizer's own tensors: the next step changes them.
    pub fn state(&self) -> AdamWState {
        let state = |p: &Param| {
            let means = p.means.as_ref()?.each_ref().map(Tensor::shallow_clone);
            Some((p.name.clone(), ParamState { steps: p.steps, means }))
        };
        let params = self.params.iter().filter_map(state).collect();
        AdamWState { params, groups: self.groups.clone() }
    }

    /// Goes on from a copy of a state, with the parameters that are trainable now.
    ///
    /// # Errors
    /// If it is that of another model.
    pub fn load_state(&mut self, mut state: AdamWState) -> Result<()> {
        let wrong = |problem| Err(Error::setting("the state of the optimizer", problem));
        self.reset_state();
        for param in &mut self.params {
            let Some(ParamState { steps, means }) = state.params.remove(&param.name) else {
                continue;
            };
            if means.iter().any(|mean| mean.size() != param.value.size()) {
                let shape = param.value.size();
                return wrong(format!("`{}`: expected the shape {shape:?}", param.name));
            }
            let new = means.map(|mean| {
                let mut own = param.value.zeros_like();
                tch::no_grad(|| own.copy_(&mean));
                own
            });
            (param.means, param.steps) = (Some(new), steps);
        }
        if let Some(name) = state.params.keys().next() {
            return wrong(format!("it has `{name}`, which does not train here"));
        }
        self.refresh_groups();
        // What stepped together goes on to, even if one of it had no gradient at some step.
        let mut grouped: Vec<usize> = state.groups.concat();
        grouped.sort_unstable();
        if grouped.iter().copied().eq(0..self.trained.len()) {
            self.groups = state.groups;
        }
        Ok(())
    }

    /// Updates which of the parameters are trainable.
    pub fn refresh_groups(&mut self) {
        let trains = |&at: &usize| self.params[at].value.requires_grad();
        self.trained = (0..self.params.len()).filter(trains).collect();
        self.groups.clear();
        for (at, &param) in self.trained.iter().enumerate() {
            let alike =
                |&other: &usize| self.params[self.trained[other]].is_like(&self.params[param]);
            match self.groups.iter_mut().find(|group| alike(&group[0])) {
                Some(group) => group.push(at),
                None => self.groups.push(vec![at]),
            }
        }
    }

    /// The trainable parameters, in the optimizer's order.
    pub fn trained(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.trained.iter().map(|&at| (self.params[at].name.as_str(), &self.params[at].value))
    }

    /// The trainable parameters, each with what multiplies its learning rate.
    pub fn multiples(&self) -> impl Iterator<Item = (&str, f64)> {
        self.trained.iter().map(|&at| (self.params[at].name.as_str(), self.params[at].rate))
    }

    /// The gradient of a loss by each trainable parameter, in the optimizer's order. They are
    /// returned rather than added to `.grad`, which saves a pass to clear and a pass to add.
    ///
    /// # Errors
    /// If the loss does not depend on any trainable parameter.
    pub fn gradients(&self, loss: &Tensor) -> Result<Vec<Tensor>> {
        let values: Vec<&Tensor> = self.trained.iter().map(|&at| &self.params[at].value).collect();
        Ok(Tensor::f_run_backward(&[loss], &values, false, false)?)
    }

    /// Updates every parameter by its gradient times `factor`: `w -= lr · m̂ / (√v̂ + eps)`, where
    /// `m̂` and `v̂` are the running means of gradients and of their squares, corrected for their
    /// start at zero. A parameter without a gradient does not change.
    ///
    /// # Errors
    /// If libtorch refuses.
    pub fn step(&mut self, gradients: &[Tensor], factor: f64, lr: f64) -> Result<()> {
        for group in &self.groups {
            let moved: Vec<usize> =
                group.iter().copied().filter(|&at| gradients[at].defined()).collect();
            let Some(&first) = moved.first() else { continue };
            let Param { rate, decay, steps, .. } = self.params[self.trained[first]];
            let lr = lr * rate;
            if lr == 0. {
                continue;
            }
            let number = steps + 1;
            for &at in &moved {
                let param = &mut self.params[self.trained[at]];
                param.steps = number;
                param.means.get_or_insert_with(|| [(); 2].map(|()| param.value.zeros_like()));
            }
            let moved = moved.iter().filter_map(|&at| {
                let Param { value, means, .. } = &self.params[self.trained[at]];
                Some(Moved { value, gradient: &gradients[at], means: means.as_ref()? })
            });
            let Self { beta1, beta2, eps, .. } = *self;
            let step = Step { lr, beta1, beta2, decay, eps, number, factor };
            fused_adamw(&moved.collect::<Vec<_>>(), step)?;
        }
        Ok(())
    }
}

impl Param {
    /// Whether one call of the kernel can serve both.
    fn is_like(&self, other: &Self) -> bool {
        (self.rate, self.decay, self.steps) == (other.rate, other.decay, other.steps)
    }
}

/// The factor that clips the joint norm of the gradients to `max`; 1 where it is not above.
pub fn clip_factor(norm: f64, max: f64) -> f64 {
    // The 1e-6 is PyTorch's. The kernel divides by the factor's inverse, in f32.
    (max / (norm + 1e-6)).min(1.).max(f32::MIN_POSITIVE.into())
}

/// The L2 norm of all gradients together; 0 if there are none.
pub fn gradient_norm(gradients: &[Tensor]) -> f64 {
    tch::no_grad(|| {
        let norms: Vec<_> = gradients.iter().filter(|g| g.defined()).map(Tensor::norm).collect();
        match norms.is_empty() {
            true => 0.,
            false => Tensor::stack(&norms, 0).norm().double_value(&[]),
        }
    })
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
        let mut adam = AdamW::new(&store, |_| 0.01, |_| 1.);
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
    fn it_goes_on_from_its_state() {
        let built = |values: &[f32]| {
            let store = nn::VarStore::new(Device::Cpu);
            let w = store.root().add("w", Tensor::from_slice(values), true);
            let adam = AdamW::new(&store, |_| 0.01, |_| 1.);
            (w, adam)
        };
        let gradients = [[1f32, -2.], [0.5, 3.]].map(|g| [Tensor::from_slice(&g)]);
        let (w, mut adam) = built(&[1., 2.]);
        adam.step(&gradients[0], 1., 0.1).unwrap();
        let (v, mut other) = built(&<Vec<f32>>::try_from(&w).unwrap());
        other.load_state(adam.state()).unwrap();
        assert_eq!(other.state().params["w"].steps, 1);
        for (adam, gradient) in [(&mut adam, &gradients[1]), (&mut other, &gradients[1])] {
            adam.step(gradient, 1., 0.1).unwrap();
        }
        assert!(w.equal(&v), "{w} {v}");
        let (_, mut shorter) = built(&[1.]);
        let said = shorter.load_state(adam.state()).unwrap_err().to_string();
        assert!(said.contains("`w`: expected the shape [1]"), "{said}");
        let nothing = nn::VarStore::new(Device::Cpu);
        let said = AdamW::new(&nothing, |_| 0., |_| 1.).load_state(adam.state()).unwrap_err();
        assert!(said.to_string().contains("it has `w`, which does not train"), "{said}");
    }

    #[test]
    fn clipping_shortens_what_is_long() {
        let gradients =
            [Tensor::from_slice(&[3f32, 0.]), Tensor::new(), Tensor::from_slice(&[4f32])];
        let norm = gradient_norm(&gradients);
        assert!((norm - 5.).abs() < 1e-6);
        assert!((clip_factor(norm, 1.) - 0.2).abs() < 1e-6);
        assert_eq!(clip_factor(norm, 6.), 1.);
        assert_eq!(gradient_norm(&[Tensor::new()]), 0.);
        assert_eq!(clip_factor(0., 1.), 1.);
        assert!((1. / clip_factor(norm, 1e-300)) as f32 <= f32::MAX);
        // The first step of AdamW does not depend on the norm; the second does.
        let store = nn::VarStore::new(Device::Cpu);
        let w = store.root().add("w", Tensor::from_slice(&[0f32]), true);
        let mut adam = AdamW::new(&store, |_| 0., |_| 1.);
        let gradient = |x: f32| [Tensor::from_slice(&[x])];
        adam.step(&gradient(1.), 1., 0.1).unwrap();
        adam.step(&gradient(30.), 0.1, 0.1).unwrap();
        let (m, v) = (0.9 * 0.1 + 0.1 * 3., 0.999 * 0.001 + 0.001 * 9.);
        let want = -0.1 - 0.1 * (m / (1. - 0.81)) / f64::sqrt(v / (1. - 0.999 * 0.999));
        assert!((w.double_value(&[0]) - want).abs() < 1e-6, "{w} {want}");
        adam.step(&[Tensor::new()], 1., 0.1).unwrap();
        assert!((w.double_value(&[0]) - want).abs() < 1e-6, "without a gradient it moved");
    }
}

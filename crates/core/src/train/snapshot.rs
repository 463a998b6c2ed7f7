//! Copies of a model's tensors.

use tch::Tensor;

use crate::model::Model;

/// Parameters and running statistics of a model, with a copy of each.
#[derive(Debug)]
pub(super) struct Snapshot(Vec<(Tensor, Tensor)>);

impl Snapshot {
    /// Copies the tensors of these names.
    pub(super) fn of(model: &Model, names: &[String]) -> Self {
        let variables = model.store().variables();
        Self::new(names.iter().filter_map(|name| Some(variables.get(name)?.shallow_clone())))
    }

    /// Copies all tensors.
    pub(super) fn whole(model: &Model) -> Self {
        Self::new(model.store().variables().into_values())
    }

    fn new(values: impl Iterator<Item = Tensor>) -> Self {
        let kept = |value: Tensor| {
            let copy = value.detach().copy();
            (value, copy)
        };
        Self(values.map(kept).collect())
    }

    /// The present values, each with its copy.
    pub(super) fn pairs(&mut self) -> &mut [(Tensor, Tensor)] {
        &mut self.0
    }

    /// Restores the copies into the model.
    pub(super) fn restore(&mut self) {
        tch::no_grad(|| {
            for (value, copy) in &mut self.0 {
                value.copy_(copy);
            }
        });
    }

    /// Puts the copies into the model, and stores copies of what it had.
    pub(super) fn swap(&mut self) {
        tch::no_grad(|| {
            for (value, copy) in &mut self.0 {
                let kept = value.detach().copy();
                value.copy_(copy);
                *copy = kept;
            }
        });
    }
}

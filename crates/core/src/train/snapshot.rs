//! Values of a model, copied.

use tch::Tensor;

use crate::model::Model;

/// Parameters and statistics of a model with a copy of what they were.
#[derive(Debug)]
pub(super) struct Snapshot(Vec<(Tensor, Tensor)>);

impl Snapshot {
    /// Of those of these names.
    pub(super) fn of(model: &Model, names: &[String]) -> Self {
        let variables = model.store().variables();
        Self::new(names.iter().filter_map(|name| Some(variables.get(name)?.shallow_clone())))
    }

    /// Of everything.
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

    /// The values of now, each with its copy.
    pub(super) fn pairs(&mut self) -> &mut [(Tensor, Tensor)] {
        &mut self.0
    }

    /// Gives the model the copies back.
    pub(super) fn restore(&mut self) {
        tch::no_grad(|| {
            for (value, copy) in &mut self.0 {
                value.copy_(copy);
            }
        });
    }

    /// Gives the model the copies, and keeps copies of what it had.
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

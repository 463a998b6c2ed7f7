//! Copies of a model's tensors.

use tch::Tensor;

use super::resume::Parts;
use crate::error::Result;
use crate::model::Model;

/// Parameters and running statistics of a model, with a copy of each.
#[derive(Debug)]
pub(super) struct Snapshot {
    names: Vec<String>,
    /// The present values, each with its copy.
    values: Vec<(Tensor, Tensor)>,
}

impl Snapshot {
    /// Copies the tensors of these names.
    pub(super) fn of(model: &Model, names: &[String]) -> Self {
        let variables = model.store().variables();
        let there = names.iter().filter_map(|name| Some((name, variables.get(name)?)));
        Self::new(there.map(|(name, value)| (name.clone(), value.shallow_clone())))
    }

    /// Copies all tensors.
    pub(super) fn whole(model: &Model) -> Self {
        Self::new(model.store().variables().into_iter())
    }

    fn new(values: impl Iterator<Item = (String, Tensor)>) -> Self {
        let kept = |(name, value): (String, Tensor)| {
            let copy = value.detach().copy();
            (name, (value, copy))
        };
        let (names, values) = values.map(kept).unzip();
        Self { names, values }
    }

    /// Adds the copies to a checkpoint, with a prefix before each name.
    pub(super) fn save(&self, prefix: &str, to: &mut Parts) {
        for (name, (_, copy)) in self.names.iter().zip(&self.values) {
            to.put_tensor(format!("{prefix}{name}"), copy);
        }
    }

    /// Takes the copies from a checkpoint.
    pub(super) fn load(&mut self, prefix: &str, from: &Parts) -> Result<()> {
        for (name, (_, copy)) in self.names.iter().zip(&mut self.values) {
            from.copy_tensor(&format!("{prefix}{name}"), copy)?;
        }
        Ok(())
    }

    /// The present values, each with its copy.
    pub(super) fn pairs(&mut self) -> &mut [(Tensor, Tensor)] {
        &mut self.values
    }

    /// Restores the copies into the model.
    pub(super) fn restore(&mut self) {
        tch::no_grad(|| {
            for (value, copy) in &mut self.values {
                value.copy_(copy);
            }
        });
    }

    /// Puts the copies into the model, and stores copies of what it had.
    pub(super) fn swap(&mut self) {
        tch::no_grad(|| {
            for (value, copy) in &mut self.values {
                let kept = value.detach().copy();
                value.copy_(copy);
                *copy = kept;
            }
        });
    }
}

//! The parts of a checkpoint, by name.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tch::Tensor;

use crate::error::{Error, Result};

/// A part of a training whose state a checkpoint holds. Whatever the next step depends on is saved by
/// one: a new part of that sort is saved and loaded beside the others of whoever has it.
pub(in crate::train) trait Resumable {
    /// Adds its state.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    fn save(&self, to: &mut Parts) -> Result<()>;

    /// Goes on from a state that [`save`](Self::save) added.
    ///
    /// # Errors
    /// If it is not there, or is that of something else.
    fn load(&mut self, from: &Parts) -> Result<()>;
}

/// What a checkpoint holds: values and tensors, each under a name of its own.
#[derive(Debug, Default)]
pub(in crate::train) struct Parts {
    /// Where they come from, for messages.
    pub(in crate::train) path: PathBuf,
    pub(in crate::train) values: BTreeMap<String, Value>,
    pub(in crate::train) tensors: BTreeMap<String, Tensor>,
}

impl Parts {
    /// Adds a value.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub(in crate::train) fn put<T: Serialize>(&mut self, name: &str, value: &T) -> Result<()> {
        let value = serde_json::to_value(value)
            .map_err(|e| self.malformed(format!("{name} cannot be written: {e}")))?;
        self.values.insert(name.to_owned(), value);
        Ok(())
    }

    /// Adds a tensor. It is written before anything changes it.
    pub(in crate::train) fn put_tensor(&mut self, name: impl Into<String>, tensor: &Tensor) {
        self.tensors.insert(name.into(), tensor.shallow_clone());
    }

    /// A value.
    ///
    /// # Errors
    /// If there is none of this name and type.
    pub(in crate::train) fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let value = self.values.get(name).ok_or_else(|| self.malformed(format!("no {name}")))?;
        T::deserialize(value).map_err(|e| self.malformed(format!("{name}: {e}")))
    }

    /// A tensor, on the CPU.
    ///
    /// # Errors
    /// If there is none of this name.
    pub(in crate::train) fn tensor(&self, name: &str) -> Result<&Tensor> {
        self.tensors.get(name).ok_or_else(|| self.malformed(format!("no tensor `{name}`")))
    }

    /// Copies a tensor into another of its shape and type.
    ///
    /// # Errors
    /// If there is none of this name, or it is of another shape or type.
    pub(in crate::train) fn copy_tensor(&self, name: &str, to: &mut Tensor) -> Result<()> {
        let from = self.tensor(name)?;
        if from.size() != to.size() || from.kind() != to.kind() {
            let problem = format!(
                "`{name}` is {:?} of {:?}, expected {:?} of {:?}",
                from.size(),
                from.kind(),
                to.size(),
                to.kind()
            );
            return Err(self.malformed(problem));
        }
        tch::no_grad(|| to.f_copy_(from))?;
        Ok(())
    }

    /// The names below a prefix, without it, each with its tensor.
    pub(in crate::train) fn tensors_below<'p>(
        &'p self,
        prefix: &'p str,
    ) -> impl Iterator<Item = (&'p str, &'p Tensor)> {
        self.tensors.iter().filter_map(move |(name, t)| Some((name.strip_prefix(prefix)?, t)))
    }

    /// The error that a part is not what it should be.
    pub(in crate::train) fn malformed(&self, problem: impl Into<String>) -> Error {
        Error::Malformed { path: self.path.clone(), problem: problem.into() }
    }
}

//! Where a training leaves checkpoints, and goes on from.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::every::CheckpointEvery;
use super::parts::Parts;
use super::store;
use crate::error::{Error, Result};

/// A folder of checkpoints: where a training leaves them, how often, and what it goes on from. If there
/// is a whole one in it, [`fit_resumable`](crate::train::fit_resumable) goes on from the last.
///
/// A checkpoint holds all that the rest of a training depends on, and so a training that was stopped
/// ends with the same weights, to the last bit, as one that was not. The last two are kept; each is
/// written beside its place, hashed, put on the disk and renamed. Whoever is done with a training
/// removes the folder.
pub struct Checkpoints<'c> {
    folder: PathBuf,
    every: CheckpointEvery,
    conditions: Value,
    stop: Option<Box<dyn Fn() -> bool + 'c>>,
}

impl<'c> Checkpoints<'c> {
    /// Checkpoints in a folder, which may be new and which no other process uses, once every few
    /// minutes.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let every = CheckpointEvery::default();
        Self { folder: folder.into(), every, conditions: Value::Null, stop: None }
    }

    /// As often as this.
    #[must_use]
    pub fn every(self, every: CheckpointEvery) -> Self {
        Self { every, ..self }
    }

    /// What else decides the training, beside model, samples and options: a checkpoint under other
    /// conditions is refused with the first difference.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn conditions<T: Serialize>(self, conditions: &T) -> Result<Self> {
        let conditions = serde_json::to_value(conditions).map_err(|e| Error::Malformed {
            path: self.folder.clone(),
            problem: format!("the conditions cannot be written: {e}"),
        })?;
        Ok(Self { conditions, ..self })
    }

    /// After a step for which this says so, the training ends with a checkpoint and the error
    /// [`Interrupted`](Error::Interrupted).
    #[must_use]
    pub fn stop_when(self, stop: impl Fn() -> bool + 'c) -> Self {
        Self { stop: Some(Box::new(stop)), ..self }
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn how_often(&self) -> CheckpointEvery {
        self.every
    }

    /// Whether the training is to end.
    pub(in crate::train) fn is_stop_asked(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| stop())
    }

    pub(in crate::train) fn caller_conditions(&self) -> Value {
        self.conditions.clone()
    }

    /// The last whole checkpoint, if there is one.
    pub(in crate::train) fn newest(&self) -> Result<Option<Parts>> {
        store::newest(&self.folder)
    }

    /// Writes a checkpoint; its folder.
    pub(in crate::train) fn write(&self, parts: &Parts) -> Result<PathBuf> {
        store::write(&self.folder, parts)
    }
}

impl fmt::Debug for Checkpoints<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { folder, every, conditions, .. } = self;
        let mut shown = f.debug_struct("Checkpoints");
        shown.field("folder", folder).field("every", every).field("conditions", conditions);
        shown.finish_non_exhaustive()
    }
}

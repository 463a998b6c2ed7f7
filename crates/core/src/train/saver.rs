//! Checkpoints of a training under way.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::distributed;
use super::resume::{Checkpoints, Conditions, Pace, Parts, Resumable, Turn};
use crate::error::Result;
use crate::model::Freeze;

/// Where in its phases a training is.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Place {
    /// The phase, counted from 0.
    pub(super) phase: usize,
    /// Epochs before the phase.
    pub(super) begun: usize,
    /// Epochs of the phase behind the present one.
    pub(super) epochs_left: usize,
    /// Epochs that the features of what is frozen were cached for.
    pub(super) cached_for: usize,
    /// What is frozen: by the phase, and by what has stabilised since.
    pub(super) freeze: Freeze,
}

/// Writes the checkpoints of a training.
#[derive(Debug)]
pub(super) struct Saver<'c> {
    checkpoints: &'c Checkpoints<'c>,
    conditions: Conditions,
    pace: Pace,
    begun: Instant,
    /// The seconds that the training took in other processes.
    before: f64,
    pub(super) place: Place,
}

/// The names of the place and of the seconds in a checkpoint.
const PLACE: &str = "place";
const SECONDS: &str = "seconds";

impl<'c> Saver<'c> {
    /// The checkpoints of a training under these conditions.
    pub(super) fn new(checkpoints: &'c Checkpoints<'c>, conditions: Conditions) -> Self {
        let (pace, begun) = (Pace::new(), Instant::now());
        Self { checkpoints, conditions, pace, begun, before: 0., place: Place::default() }
    }

    /// The last checkpoint, if there is one, with its place.
    ///
    /// # Errors
    /// If it is one of another training.
    pub(super) fn newest(&mut self) -> Result<Option<(Parts, Place)>> {
        let found = || {
            let parts = self.checkpoints.newest()?;
            parts.as_ref().map_or(Ok(()), |parts| self.conditions.check(parts))?;
            Ok(parts)
        };
        let Some(parts) = distributed::from_first(found)? else { return Ok(None) };
        self.before = parts.get(SECONDS)?;
        let place = parts.get(PLACE)?;
        Ok(Some((parts, place)))
    }

    /// The seconds that the training has taken in other processes.
    pub(super) fn before(&self) -> f64 {
        self.before
    }

    /// Whether the training is to end.
    pub(super) fn is_stop_asked(&self) -> bool {
        self.checkpoints.is_stop_asked()
    }

    /// What a step leads to.
    pub(super) fn after_step(&mut self) -> Turn {
        self.pace.step(self.checkpoints)
    }

    /// What an epoch leads to.
    pub(super) fn after_epoch(&mut self) -> Turn {
        self.pace.epoch(self.checkpoints)
    }

    /// Counts anew towards the next checkpoint.
    pub(super) fn count_anew(&mut self) {
        self.pace = Pace::new();
    }

    /// Where the checkpoints are.
    pub(super) fn folder(&self) -> &Path {
        self.checkpoints.folder()
    }

    /// Writes a checkpoint of `training`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn write(&self, training: &impl Resumable) -> Result<PathBuf> {
        let mut parts = Parts::default();
        self.conditions.save(&mut parts)?;
        parts.put(PLACE, &self.place)?;
        parts.put(SECONDS, &(self.before + self.begun.elapsed().as_secs_f64()))?;
        training.save(&mut parts)?;
        self.checkpoints.write(&parts)
    }
}

//! Checkpoints of a training under way.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::distributed;
use super::record::Progress;
use super::resume::{Checkpoints, Conditions, Pace, Parts, Resumable, Turn};
use super::training::Training;
use crate::error::{Error, Result};
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
}

impl Training<'_> {
    /// After a batch: writes a checkpoint if it is time for one.
    ///
    /// # Errors
    /// [`Error::Interrupted`], if the training is to end.
    pub(super) fn after_step(
        &mut self,
        observe: &mut dyn FnMut(Progress<'_>) -> Result<()>,
    ) -> Result<()> {
        match &mut self.saver {
            Some(saver) if self.trainer.is_between_steps() => {
                let turn = saver.pace.step(saver.checkpoints);
                self.take(turn, observe)
            }
            _ => Ok(()),
        }
    }

    /// The same after an epoch, at the place of the next one.
    pub(super) fn after_epoch(
        &mut self,
        observe: &mut dyn FnMut(Progress<'_>) -> Result<()>,
    ) -> Result<()> {
        let Some(saver) = &mut self.saver else { return Ok(()) };
        let turn = saver.pace.epoch(saver.checkpoints);
        self.take(turn, observe)
    }

    fn take(
        &mut self,
        turn: Turn,
        observe: &mut dyn FnMut(Progress<'_>) -> Result<()>,
    ) -> Result<()> {
        match distributed::agree_turn(turn)? {
            Turn::GoOn => Ok(()),
            Turn::Stop => self.stop(),
            Turn::Save => {
                let saved = self.checkpoint();
                if let Some(saver) = &mut self.saver {
                    saver.pace = Pace::new();
                }
                match saved {
                    Err(error @ Error::Io { .. }) => observe(Progress::Unsaved { error: &error }),
                    saved => saved.map(drop),
                }
            }
        }
    }

    /// Ends with a checkpoint.
    ///
    /// # Errors
    /// In any case: [`Error::Interrupted`], or why no checkpoint can be written.
    pub(super) fn stop(&self) -> Result<()> {
        match self.checkpoint()? {
            Some(checkpoint) => Err(Error::Interrupted { checkpoint }),
            None => Ok(()),
        }
    }

    /// Writes a checkpoint, if any are asked for.
    fn checkpoint(&self) -> Result<Option<std::path::PathBuf>> {
        let Some(saver) = &self.saver else { return Ok(None) };
        distributed::check_parameters(self.model)?;
        if !distributed::writes() {
            return Ok(Some(saver.checkpoints.folder().to_path_buf()));
        }
        let mut parts = Parts::default();
        saver.conditions.save(&mut parts)?;
        parts.put(PLACE, &saver.place)?;
        parts.put(SECONDS, &(saver.before + saver.begun.elapsed().as_secs_f64()))?;
        self.save(&mut parts)?;
        saver.checkpoints.write(&parts).map(Some)
    }
}

//! When a training writes its checkpoints.

use std::path::PathBuf;

use super::distributed;
use super::record::Progress;
use super::resume::Turn;
use super::training::Training;
use crate::error::{Error, Result};

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
                let turn = saver.after_step();
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
        let turn = saver.after_epoch();
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
                    saver.count_anew();
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
        let written = self.checkpoint()?;
        // Whoever ended before it is written would be missed.
        distributed::together()?;
        match written {
            Some(checkpoint) => Err(Error::Interrupted { checkpoint }),
            None => Ok(()),
        }
    }

    /// Writes a checkpoint, if any are asked for; of several processes, the first does.
    fn checkpoint(&self) -> Result<Option<PathBuf>> {
        let Some(saver) = &self.saver else { return Ok(None) };
        distributed::check_parameters(self.model)?;
        match distributed::writes() {
            true => saver.write(self).map(Some),
            false => Ok(Some(saver.folder().to_path_buf())),
        }
    }
}

//! How a training is watched: what goes to TensorBoard, and to machines.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};

use super::board::holds_events;
use crate::args::setting;

/// How a training is watched.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Write event files for TensorBoard into this folder: losses, figures, learning rates and gradient
    /// norms, the distribution of what trains, the confusion matrix and the worst errors
    #[arg(long, value_name = "DIR")]
    pub(crate) tensorboard: Option<PathBuf>,
    /// What stderr has: lines for people, or a JSON object a line for machines
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

/// How a training speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people
    Text,
    /// A JSON object a line
    Json,
}

impl WatchArgs {
    /// Refuses the event files of another training, unless there may be some.
    ///
    /// # Errors
    /// If there are.
    pub(super) fn refuse(&self, may_be: bool) -> Result<()> {
        match &self.tensorboard {
            Some(folder) if !may_be && holds_events(folder) => {
                let folder = folder.display();
                let problem = format!(
                    "{folder} has the event files of another training: name another folder, or add \
                     --overwrite"
                );
                Err(setting("--tensorboard", problem))
            }
            _ => Ok(()),
        }
    }
}

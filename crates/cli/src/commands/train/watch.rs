//! How a training is watched: what goes to TensorBoard, and to machines.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};
use crosstune_core::{FitOptions, Splits};
use serde_json::Value;

use super::args::TrainArgs;
use super::board::{Board, Plan, holds_events};
use crate::args::{ModalityArgs, setting};

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

impl<A: ModalityArgs> TrainArgs<A> {
    /// What writes for TensorBoard, if this process does. `goes_on`: with a training that was begun before.
    ///
    /// # Errors
    /// If it cannot begin there.
    pub(super) fn board(
        &self,
        splits: &Splits,
        options: &FitOptions,
        goes_on: bool,
        writes: bool,
    ) -> Result<Option<Board>> {
        let Some(folder) = self.watch.tensorboard.as_ref().filter(|_| writes) else {
            return Ok(None);
        };
        let epoch = splits.train.len().div_ceil(options.global_batch_size());
        let most = options.max_steps.map_or(usize::MAX, |n| n.saturating_mul(options.accumulate));
        let run = self.out.as_deref().and_then(|out| out.file_name());
        let plan = Plan {
            folder: folder.clone(),
            goes_on,
            batches: (epoch, epoch.saturating_mul(options.epochs).min(most)),
            name: run.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            options: self.named(options),
        };
        Ok(Some(Board::new(plan)?))
    }

    /// The options of a training, by name: those of the loop, and what is trained on what.
    fn named(&self, options: &FitOptions) -> BTreeMap<String, Value> {
        let value = serde_json::to_value(options).unwrap_or_default();
        let all = value.as_object().cloned().unwrap_or_default().into_iter();
        let mut named: BTreeMap<String, Value> =
            all.filter(|(_, value)| !value.is_null()).collect();
        let others = [
            ("weights", self.source.weights.display().to_string()),
            ("data", self.samples.data.display().to_string()),
            ("recipe", self.transfer.recipe.name().to_string()),
        ];
        named.extend(others.map(|(name, value)| (name.to_owned(), value.into())));
        named
    }
}

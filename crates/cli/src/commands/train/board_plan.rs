//! What the event files of a training are begun with, from its options.

use std::collections::BTreeMap;

use anyhow::Result;
use crosstune_core::{FitOptions, Splits};
use serde_json::Value;

use super::args::TrainArgs;
use super::board::{Board, Plan};
use crate::args::ModalityArgs;

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
        let run = self.out.as_deref().and_then(|out| out.file_name());
        let plan = Plan {
            folder: folder.clone(),
            goes_on,
            batches: (epoch, options.batches(splits.train.len())),
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

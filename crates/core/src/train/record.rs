//! Reports of a training: its progress, its epochs and its result.

use serde::{Deserialize, Serialize};

use super::resume::Parts;
use super::snapshot::Snapshot;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::task::Metrics;

/// The metrics of an epoch; a line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// The mean loss over the epoch's steps, in training mode.
    pub train_loss: f64,
    /// The fraction of correct predictions over the epoch's steps, in training mode; `None` for
    /// values.
    pub train_accuracy: Option<f64>,
    /// The loss on the validation split.
    pub validation_loss: Option<f64>,
    /// The fraction of correct predictions on the validation split.
    pub validation_accuracy: Option<f64>,
    /// The metric that the best epoch is chosen by; see [`Metrics::primary_metric`].
    #[serde(default)]
    pub validation_score: Option<f64>,
    /// Wall-clock time of the epoch, validation included.
    pub seconds: f64,
}

/// What an observer of [`fit`](crate::train::fit()) is told.
#[derive(Debug)]
pub enum Progress<'a> {
    /// The outputs of frozen layers were computed for some samples, once for all epochs of a phase.
    Cached {
        /// The number of samples since the last such report.
        samples: usize,
    },
    /// They cannot be cached, and are computed anew in each epoch.
    Uncached {
        /// Why: the disk is full, say.
        error: &'a Error,
    },
    /// The training goes on from a checkpoint. Nothing of it was told before to this observer.
    Resumed {
        /// The epochs that are done.
        epochs: &'a [EpochRecord],
        /// Batches that are done in the present one.
        step: usize,
    },
    /// A checkpoint could not be written. The training goes on.
    Unsaved {
        /// Why: the disk is full, say.
        error: &'a Error,
    },
    /// A step is done.
    Step {
        /// The epoch, counted from 1.
        epoch: usize,
        /// Batches done in this epoch.
        step: usize,
        /// Batches in an epoch.
        steps: usize,
        /// The mean loss of the epoch so far.
        loss: f64,
        /// The fraction of correct predictions of the epoch so far; `None` for values.
        accuracy: Option<f64>,
        /// The loss of this batch alone.
        batch_loss: f64,
        /// What the optimizer did; `None` if this batch waits for others (the option `accumulate`), or if
        /// the step was skipped as its gradients overflowed.
        update: Option<&'a Update>,
    },
    /// The model was evaluated on the validation split, at the end of an epoch, whose report follows.
    Validated(&'a Metrics),
    /// An epoch is done.
    Epoch(&'a EpochRecord),
}

/// What the optimizer did in a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// The L2 norm of all gradients, before they were clipped.
    pub gradient_norm: f64,
    /// The learning rates, each with the name of the parameters that it is of: `new` or `pretrained`; with
    /// layer-wise decay, the latter are `pretrained.head`, `pretrained.trunk.N` and `pretrained.embedder`.
    pub rates: Vec<(String, f64)>,
}

/// The result of a step.
#[derive(Debug, Clone, Copy)]
pub struct StepOutput {
    /// The mean loss of the batch; see [`Objective::loss`](crate::task::Objective::loss).
    pub loss: f64,
    /// Correct predictions; see [`Objective::correct`](crate::task::Objective::correct).
    pub correct: Option<i64>,
    /// The samples of the batch: of all processes, as above, where several train together.
    pub samples: i64,
}

/// The result of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitReport {
    /// The epochs of the training.
    pub epochs: Vec<EpochRecord>,
    /// The epoch whose parameters the model has now, counted from 1.
    pub best_epoch: usize,
    /// The SHA-256 over all parameters and statistics that were never updated, in hexadecimal
    /// digits. It was the same before and after.
    pub frozen: String,
    /// Steps that were skipped as their gradients overflowed: in f16 alone, some of the first.
    #[serde(default)]
    pub skipped_steps: usize,
    /// Wall-clock time.
    pub seconds: f64,
}

/// The name of the best epoch in a checkpoint, and what those of its tensors begin with.
const NAME: &str = "best";
const PREFIX: &str = "best.";

/// The best epoch so far, with a copy of the tensors that are updated.
pub(super) struct Best {
    pub(super) epoch: usize,
    score: f64,
    loss: f64,
    values: Snapshot,
}

impl Best {
    pub(super) fn new(model: &Model, moving: &[String], epoch: usize, scored: &Metrics) -> Self {
        let values = Snapshot::of(model, moving);
        Self { epoch, score: scored.score(), loss: scored.loss(), values }
    }

    pub(super) fn is_worse_than(&self, scored: &Metrics) -> bool {
        (scored.score(), -scored.loss()) > (self.score, -self.loss)
    }

    /// Adds it to a checkpoint.
    pub(super) fn save(this: Option<&Self>, to: &mut Parts) -> Result<()> {
        if let Some(best) = this {
            best.values.save(PREFIX, to);
        }
        to.put(NAME, &this.map(|best| (best.epoch, best.score, best.loss)))
    }

    /// Takes it from a checkpoint.
    pub(super) fn load(model: &Model, moving: &[String], from: &Parts) -> Result<Option<Self>> {
        let Some((epoch, score, loss)) = from.get(NAME)? else { return Ok(None) };
        let mut values = Snapshot::of(model, moving);
        values.load(PREFIX, from)?;
        Ok(Some(Self { epoch, score, loss, values }))
    }

    pub(super) fn restore(mut self) {
        self.values.restore();
    }
}

//! What a training tells, and what becomes of it.

use serde::{Deserialize, Serialize};

use super::snapshot::Snapshot;
use crate::model::Model;
use crate::task::Metrics;

/// What an epoch came to; a line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// The mean loss over the epoch's steps, in training mode.
    pub train_loss: f64,
    /// The share of right answers over the epoch's steps, in training mode; `None` of values.
    pub train_accuracy: Option<f64>,
    /// The loss on the validation split.
    pub validation_loss: Option<f64>,
    /// The share of right answers on the validation split.
    pub validation_accuracy: Option<f64>,
    /// What the best epoch is chosen by; see [`Metrics::primary_metric`].
    #[serde(default)]
    pub validation_score: Option<f64>,
    /// Wall-clock time of the epoch, validation included.
    pub seconds: f64,
}

/// What an observer of [`fit`](crate::train::fit()) is told.
#[derive(Debug)]
pub enum Progress<'a> {
    /// Frozen parts have been computed for some samples, once and for all epochs of a phase.
    Cached {
        /// Samples, new ones since the last time.
        samples: usize,
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
        /// The share of right answers of the epoch so far; `None` of values.
        accuracy: Option<f64>,
    },
    /// An epoch is done.
    Epoch(&'a EpochRecord),
}

/// The course of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitReport {
    /// The epochs that were run.
    pub epochs: Vec<EpochRecord>,
    /// The epoch whose parameters the model has now, counted from 1.
    pub best_epoch: usize,
    /// The SHA-256 over all parameters and statistics that never moved, in hexadecimal digits. It was
    /// the same before and after.
    pub frozen: String,
    /// Wall-clock time.
    pub seconds: f64,
}

/// The best epoch so far, with a copy of what moves.
pub(super) struct Best {
    pub(super) epoch: usize,
    primary_metric: f64,
    loss: f64,
    values: Snapshot,
}

impl Best {
    pub(super) fn new(model: &Model, moving: &[String], epoch: usize, scored: &Metrics) -> Self {
        let values = Snapshot::of(model, moving);
        Self { epoch, primary_metric: scored.primary_metric(), loss: scored.loss(), values }
    }

    pub(super) fn is_worse_than(&self, scored: &Metrics) -> bool {
        (scored.primary_metric(), -scored.loss()) > (self.primary_metric, -self.loss)
    }

    pub(super) fn restore(mut self) {
        self.values.restore();
    }
}

//! A stretch of a training.

use serde::{Deserialize, Serialize};

use crate::model::Freeze;
#[cfg(doc)]
use crate::random::seed;

/// A stretch of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// What stands still.
    pub freeze: Freeze,
    /// Its length.
    pub epochs: usize,
    /// The peak rate of fresh parameters, if another than the options'.
    pub lr: Option<f64>,
    /// The peak rate of pretrained parameters, if another than the options'.
    pub pretrained_lr: Option<f64>,
    /// What the schedule and the optimizer do.
    pub schedule: PhaseStart,
}

impl Phase {
    /// A phase at the options' rates, in which the schedule goes on.
    pub fn of(freeze: Freeze, epochs: usize) -> Self {
        Self { freeze, epochs, lr: None, pretrained_lr: None, schedule: PhaseStart::Continue }
    }
}

/// What the schedule and the optimizer do where a phase begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PhaseStart {
    /// They go on.
    #[serde(alias = "on")]
    Continue,
    /// They begin anew, as in a training of its own that ends where the next one begins.
    #[serde(alias = "anew")]
    Restart,
}

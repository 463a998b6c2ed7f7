//! Phases of a training.

use serde::{Deserialize, Serialize};

use crate::model::Freeze;
#[cfg(doc)]
use crate::random::seed;

/// A phase of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// The frozen parameters.
    pub freeze: Freeze,
    /// The number of epochs.
    pub epochs: usize,
    /// The peak rate of new parameters, if it differs from the options'.
    pub lr: Option<f64>,
    /// The peak rate of pretrained parameters, if it differs from the options'.
    pub pretrained_lr: Option<f64>,
    /// What the schedule and the optimizer do.
    pub schedule: PhaseStart,
}

impl Phase {
    /// A phase at the options' rates, in which schedule and optimizer go on.
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
    /// They start again, as in a training of its own that ends where the next one starts.
    #[serde(alias = "anew")]
    Restart,
}

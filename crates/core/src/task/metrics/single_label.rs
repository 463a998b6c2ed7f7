//! Metrics of single-label classification.

use serde::{Deserialize, Serialize};

use super::confusion::Confusion;
use super::reliability::CalibrationMetrics;

/// Metrics of single-label classification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassificationMetrics {
    /// The number of samples.
    pub samples: usize,
    /// The fraction of correct predictions.
    pub accuracy: f64,
    /// The mean cross-entropy, in nats.
    pub loss: f64,
    /// The mean F1 over the classes.
    pub macro_f1: f64,
    /// The samples by true and predicted class.
    pub confusion: Confusion,
    /// How far the probabilities can be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<CalibrationMetrics>,
}

impl ClassificationMetrics {
    pub(crate) fn of(confusion: Confusion, loss: f64) -> Self {
        // Of each class: how often it is true, predicted, and both.
        let mut counts = vec![[0_u64; 3]; confusion.classes()];
        for (truth, predicted, samples) in confusion.cells() {
            counts[truth][0] += u64::from(samples);
            counts[predicted][1] += u64::from(samples);
            if truth == predicted {
                counts[truth][2] += u64::from(samples);
            }
        }
        let sum = |at: usize| counts.iter().map(|of| of[at]).sum::<u64>();
        // A class that neither occurs nor is predicted says nothing about the model.
        let f1 = |&[truth, predicted, both]: &[u64; 3]| {
            (truth + predicted > 0).then(|| 2. * both as f64 / (truth + predicted) as f64)
        };
        let f1: Vec<f64> = counts.iter().filter_map(f1).collect();
        let samples = sum(0);
        Self {
            samples: samples as usize,
            accuracy: sum(2) as f64 / samples.max(1) as f64,
            loss,
            macro_f1: f1.iter().sum::<f64>() / f1.len().max(1) as f64,
            confusion,
            calibration: None,
        }
    }
}

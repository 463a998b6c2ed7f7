//! Metrics of single-label classification.

use serde::{Deserialize, Serialize};

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
    /// `confusion[true][predicted]`, in samples.
    pub confusion: Vec<Vec<u32>>,
}

impl ClassificationMetrics {
    pub(crate) fn of(confusion: Vec<Vec<u32>>, loss: f64) -> Self {
        let classes = confusion.len();
        let samples: u32 = confusion.iter().flatten().sum();
        let correct = |c: usize| f64::from(confusion[c][c]);
        let f1 = |c: usize| {
            let truth: u32 = confusion[c].iter().sum();
            let answered: u32 = confusion.iter().map(|row| row[c]).sum();
            // A class that neither occurs nor is predicted says nothing about the model.
            (truth + answered > 0).then(|| 2. * correct(c) / f64::from(truth + answered))
        };
        let f1: Vec<f64> = (0..classes).filter_map(f1).collect();
        Self {
            samples: samples as usize,
            accuracy: (0..classes).map(correct).sum::<f64>() / f64::from(samples.max(1)),
            loss,
            macro_f1: f1.iter().sum::<f64>() / f1.len().max(1) as f64,
            confusion,
        }
    }
}

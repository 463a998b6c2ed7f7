//! How often sets of classes hold the right one, and how large they are.

use serde::{Deserialize, Serialize};

/// The coverage of sets of classes on labelled samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SetMetrics {
    /// The coverage that was asked for.
    pub level: f64,
    /// The number of samples, each with its set.
    pub samples: usize,
    /// The fraction of sets that hold the right class.
    pub coverage: f64,
    /// The mean number of classes in a set.
    pub mean_size: f64,
    /// The fraction of sets without a class.
    pub empty: f64,
}

impl SetMetrics {
    /// Of sets of a level: how many classes each has, and whether the right one is in it.
    pub fn of(level: f64, sets: impl Iterator<Item = (usize, bool)>) -> Self {
        let [mut samples, mut covered, mut classes, mut empty] = [0; 4];
        for (size, is_right) in sets {
            samples += 1;
            covered += usize::from(is_right);
            classes += size;
            empty += usize::from(size == 0);
        }
        let mean = |sum: usize| sum as f64 / samples.max(1) as f64;
        let (coverage, mean_size, empty) = (mean(covered), mean(classes), mean(empty));
        Self { level, samples, coverage, mean_size, empty }
    }
}

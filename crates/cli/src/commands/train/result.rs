//! `result.json`: the record of a training, beside its model.

use crosstune_core::{
    BatchNormStats, FitOptions, FitReport, Freeze, LoadReport, MatmulPrecision, Metrics, Recipe,
    WeightInit, data::Coverage, transfer::AlignReport,
};
use serde::Serialize;

/// What was trained and how, and the result.
#[derive(Debug, Serialize)]
pub(super) struct RunResult {
    pub(super) version: &'static str,
    pub(super) weights: String,
    pub(super) data: String,
    pub(super) recipe: Recipe,
    pub(super) init: WeightInit,
    pub(super) freeze: Freeze,
    pub(super) batch_norm: BatchNormStats,
    /// The alignment, of the recipe ORCA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) aligned: Option<AlignReport>,
    pub(super) matmul_precision: MatmulPrecision,
    /// Whether it was computed in one thread, so that no other number of threads gives other weights.
    pub(super) deterministic: bool,
    pub(super) options: FitOptions,
    pub(super) samples: Counts,
    pub(super) parameters: Parameters,
    pub(super) loaded: LoadReport,
    pub(super) history: FitReport,
    /// On the validation split, with the parameters of the best epoch.
    pub(super) validation: Option<Metrics>,
    /// On the test split.
    pub(super) test: Option<Metrics>,
    pub(super) cost: Cost,
}

#[derive(Debug, Serialize)]
pub(super) struct Counts {
    pub(super) train: usize,
    pub(super) validation: usize,
    pub(super) test: usize,
    /// Samples that were skipped because they cannot be read, with the reasons.
    pub(super) skipped: Vec<String>,
    /// Files that are not samples, by extension.
    pub(super) ignored: Vec<(String, usize)>,
    /// How much of them the model takes, all splits together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) coverage: Option<Coverage>,
    /// What was said of how the data set was read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Parameters {
    pub(super) trained: usize,
    pub(super) frozen: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Cost {
    /// From the start of the process to the first step.
    pub(super) seconds_to_first_batch: f64,
    /// The median.
    pub(super) seconds_per_step: f64,
    /// From the start of the process to the end of the final evaluation.
    pub(super) seconds: f64,
    pub(super) peak_memory_mib: Option<f64>,
    /// Of the CPU, for computing. With as many, on the same machine, the weights come out the same.
    pub(super) threads: i32,
}

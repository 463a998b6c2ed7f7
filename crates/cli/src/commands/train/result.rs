//! `result.json`: what a training leaves beside its model.

use crosstune_core::{
    BatchNormStats, FitOptions, FitReport, Freeze, LoadReport, MatmulPrecision, Metrics, Recipe,
    WeightInit, transfer::AlignReport,
};
use serde::Serialize;

/// How the run came about and what it came to.
#[derive(Debug, Serialize)]
pub(super) struct RunResult {
    pub(super) version: &'static str,
    pub(super) weights: String,
    pub(super) data: String,
    pub(super) recipe: Recipe,
    pub(super) init: WeightInit,
    pub(super) freeze: Freeze,
    pub(super) statistics: BatchNormStats,
    /// What ORCA's first stage came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) aligned: Option<AlignReport>,
    pub(super) matmul_precision: MatmulPrecision,
    pub(super) options: FitOptions,
    pub(super) samples: Counts,
    pub(super) parameters: Parameters,
    pub(super) loaded: LoadReport,
    pub(super) history: FitReport,
    /// On the validation split, with the parameters that were kept.
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
    /// Samples that could not be read and were left out, with the reasons.
    pub(super) skipped: Vec<String>,
    /// Files that are no samples, by their ending.
    pub(super) ignored: Vec<(String, usize)>,
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
    /// Median.
    pub(super) seconds_per_step: f64,
    /// From the start of the process to the end of the final evaluation.
    pub(super) seconds: f64,
    pub(super) peak_memory_mib: Option<f64>,
    /// That computed, where that was on a CPU.
    pub(super) threads: i32,
}

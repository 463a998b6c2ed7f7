//! How an answer is explained, and its explanation.

use crate::units::{Baseline, Surface};

/// How an answer is explained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ExplainMethod {
    /// Integrated gradients (Sundararajan et al. 2017) at the embedder's output, along the straight path
    /// from that of a baseline.
    IntegratedGradients {
        /// Points of the path at which gradients are taken, by Gauss and Legendre's rule. Where those are
        /// not enough, pieces of the path get as many each.
        steps: usize,
        /// How far the sum of the attributions may be from what the path changes in the score, as a share
        /// of that.
        tolerance: f64,
    },
    /// Occlusion (Zeiler and Fergus 2014): what the score loses where parts of the input are covered, one
    /// at a time.
    Occlusion(Occluder),
}

/// What is covered at a time, where an input has no words. A window that would end outside is cut off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Occluder {
    /// A window of this share of each side, of which the next is half a window away.
    Share(f64),
    /// A window `[height, width]` of the batch's last two dimensions, `[1, width]` of its last, from one to
    /// the next by `stride`.
    Exact {
        /// In pixels, or in frames and bands.
        size: [i64; 2],
        /// Likewise.
        stride: [i64; 2],
    },
}

impl Default for ExplainMethod {
    fn default() -> Self {
        Self::IntegratedGradients { steps: Self::STEPS, tolerance: Self::TOLERANCE }
    }
}

impl ExplainMethod {
    /// The usual number of points of a path, Captum's.
    pub const STEPS: usize = 50;
    /// The usual tolerance. Its authors find 5 % enough.
    pub const TOLERANCE: f64 = 0.01;
    /// The usual share of a side that is covered.
    pub const SHARE: f64 = 1. / 8.;
}

/// How an answer is explained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExplainOptions {
    /// By what.
    pub method: ExplainMethod,
    /// What the input is compared with; `None`: the usual one of its modality.
    pub baseline: Option<Baseline>,
    /// How many rows are computed at a time.
    pub batch_size: usize,
}

impl Default for ExplainOptions {
    fn default() -> Self {
        Self { method: ExplainMethod::default(), baseline: None, batch_size: 32 }
    }
}

/// What each part of an input adds to a score of the model's.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The score that is explained: see [`ExplainTarget`](super::target::ExplainTarget).
    pub score: f64,
    /// That of the baseline; of occlusion none is asked for.
    pub baseline_score: Option<f64>,
    /// What the input was compared with.
    pub baseline: Baseline,
    /// What each part of the input adds to the score.
    pub attributions: Attributions,
    /// The sum of what belongs to no part that is shown: special tokens, padding.
    pub rest: f64,
    /// By how much the sum of all differs from what it should be, `score - baseline_score`; 0 of
    /// occlusion, which promises no sum.
    pub residual: f64,
    /// At how many points gradients were taken, or how many parts were covered.
    pub steps: usize,
    /// Whether the residual is within the tolerance.
    pub converged: bool,
    /// What the parts are of.
    pub surface: Surface,
}

/// A number for each part of an input.
#[derive(Debug, Clone, PartialEq)]
pub enum Attributions {
    /// One for each word of a text.
    Words(Vec<f64>),
    /// A grid over a picture, from the top, or over a recording: the lowest band first, columns from the
    /// beginning to the end. One row: of all bands together.
    Map {
        /// From top to bottom, or from the lowest band to the highest.
        rows: usize,
        /// From left to right.
        columns: usize,
        /// Row by row, `rows * columns`.
        values: Vec<f64>,
    },
}

impl Attributions {
    /// All of them.
    pub fn values(&self) -> &[f64] {
        match self {
            Self::Words(values) | Self::Map { values, .. } => values,
        }
    }
}

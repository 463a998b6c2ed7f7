//! What an embedder is: an open trait.

use std::fmt::Debug;

use crate::nn::features::{Batch, FeatureShape, Features};
use crate::nn::layers::BatchNormStats;

/// Turns a batch of one modality into the form that a trunk takes. An open trait: a new kind of
/// input is a new implementation, and every trunk serves it.
pub trait Embedder: Debug + Send {
    /// The form of what [`embed`](Self::embed) returns.
    fn emits(&self) -> FeatureShape;
    /// Embeds a batch; `train` turns on dropout.
    fn embed(&self, batch: &Batch, train: bool) -> Features;
    /// Fits fresh parameters to what inputs look like, before the first step. What is pretrained
    /// stays as it is.
    fn init_from_data(&self, batch: &Batch) {
        let _ = batch;
    }
    /// Decides whether the statistics of batch norms move, where there are such.
    fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        let _ = statistics;
    }
}

//! The embedder: an open trait.

use std::any::type_name;
use std::fmt::Debug;

use crate::error::{Error, Result};
use crate::nn::exporter::{Exporter, GraphEmbedding};
use crate::nn::features::{Batch, FeatureShape, Features, TokenLayout};
use crate::nn::layers::BatchNormStats;
use crate::nn::positions::ReadingOrder;

/// Turns a batch of one modality into features that a trunk accepts. An open trait: a new kind of
/// input is a new implementation, and every trunk serves it.
pub trait Embedder: Debug + Send {
    /// The shape of the features that [`embed`](Self::embed) returns.
    fn emits(&self) -> FeatureShape;
    /// What the positions of a sequence that it emits are.
    fn layout(&self) -> TokenLayout {
        TokenLayout::Sequence
    }
    /// In which order the places of a feature map that it emits follow one another.
    fn order(&self) -> ReadingOrder {
        ReadingOrder::Columns
    }
    /// Whether the trunk attends to padding as to data, as the pretrained model always did. A batch's mask
    /// then tells where the positions that answer end, and nothing else.
    fn attends_to_padding(&self) -> bool {
        false
    }
    /// Embeds a batch; `train` turns on dropout.
    fn embed(&self, batch: &Batch, train: bool) -> Features;
    /// Adds the inputs that it takes to a graph, and describes [`embed`](Self::embed) in it.
    ///
    /// # Errors
    /// If it cannot be described, as by default: names it.
    fn embed_onnx(&self, e: &Exporter) -> Result<GraphEmbedding> {
        let _ = e;
        let problem = format!("{} has no form in ONNX; export as torchscript", type_name::<Self>());
        Err(Error::setting("--format onnx", problem))
    }

    /// Initialises new parameters from a batch of inputs, before the first step. Pretrained
    /// parameters stay as they are.
    fn init_from_data(&self, batch: &Batch) {
        let _ = batch;
    }
    /// Decides whether batch-norm running statistics are updated, where there are any.
    fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        let _ = statistics;
    }
}

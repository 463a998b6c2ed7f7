//! A block of either kind.

use tch::Tensor;

use super::block::Block;
use super::config::TransformerConfig;
use super::conformer::ConformerBlock;
use crate::error::Result;
use crate::nn::attention::{AttentionContext, GraphContext};
use crate::nn::exporter::Exporter;
use crate::nn::layers::BatchNormStats;
use crate::onnx::Value;
use crate::weights::VarBuilder;

#[derive(Debug)]
pub(super) enum Layer {
    Transformer(Block),
    Conformer(ConformerBlock),
}

impl Layer {
    /// The block with this index.
    pub(super) fn new(vb: &VarBuilder<'_>, c: &TransformerConfig, index: usize) -> Result<Self> {
        Ok(match c.convolution {
            None => Self::Transformer(Block::new(vb, c, index)?),
            Some(conv) => Self::Conformer(ConformerBlock::new(vb, c, conv)?),
        })
    }

    pub(super) fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        match self {
            Self::Transformer(_) => {}
            Self::Conformer(block) => block.set_batch_norm_stats(statistics),
        }
    }

    /// `x [B, T, D]` to the same shape; `p` is the dropout of attention's weights.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        context: &AttentionContext,
        p: f64,
        train: bool,
    ) -> Tensor {
        match self {
            Self::Transformer(block) => block.forward(x, context, p, train),
            Self::Conformer(block) => block.forward(x, context, p, train),
        }
    }

    /// The same in a graph.
    pub(super) fn onnx(&self, e: &Exporter, x: &Value, context: &GraphContext) -> Value {
        match self {
            Self::Transformer(block) => block.onnx(e, x, context),
            Self::Conformer(block) => block.onnx(e, x, context),
        }
    }
}

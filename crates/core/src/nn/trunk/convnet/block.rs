//! A block of any kind.

use tch::Tensor;

use super::config::{BlockKind, BlockShape};
use super::convnext::ConvNextBlock;
use super::dense::DenseBlock;
use super::inverted::InvertedBlock;
use super::residual::{KeywordBlock, ResidualBlock};
use crate::error::Result;
use crate::nn::exporter::{Exporter, GraphMap};
use crate::nn::layers::BatchNormStats;
use crate::onnx::Value;
use crate::weights::VarBuilder;

/// A closed set: a new kind is a variant here and in [`BlockKind`], and a file of its own.
#[derive(Debug)]
pub(super) enum Block {
    Residual(ResidualBlock),
    Keyword(KeywordBlock),
    Inverted(InvertedBlock),
    ConvNext(ConvNextBlock),
    Dense(DenseBlock),
}

impl Block {
    pub(super) fn new(vb: &VarBuilder<'_>, shape: &BlockShape<'_>) -> Result<Self> {
        Ok(match shape.kind {
            BlockKind::Basic | BlockKind::Bottleneck => {
                Self::Residual(ResidualBlock::new(vb, shape)?)
            }
            BlockKind::Keyword => Self::Keyword(KeywordBlock::new(vb, shape)?),
            BlockKind::Inverted(config) => Self::Inverted(InvertedBlock::new(vb, &config, shape)?),
            BlockKind::ConvNext(config) => Self::ConvNext(ConvNextBlock::new(vb, &config, shape)?),
            BlockKind::Dense => Self::Dense(DenseBlock::new(vb, shape)?),
        })
    }

    /// `[B, c_in, H, W]` to `[B, c_out, H', W']`. `carried` is what goes past a keyword spotter's
    /// blocks.
    pub(super) fn forward(&self, x: &Tensor, carried: &mut Option<Tensor>, train: bool) -> Tensor {
        match self {
            Self::Residual(block) => block.forward(x, train),
            Self::Keyword(block) => block.forward(x, carried, train),
            Self::Inverted(block) => block.forward(x, train),
            Self::ConvNext(block) => block.forward(x, train),
            Self::Dense(block) => block.forward(x, train),
        }
    }

    /// The same in a graph.
    pub(super) fn onnx(
        &self,
        e: &Exporter,
        map: &GraphMap,
        carried: &mut Option<Value>,
    ) -> GraphMap {
        match self {
            Self::Residual(block) => block.onnx(e, map),
            Self::Keyword(block) => block.onnx(e, map, carried),
            Self::Inverted(block) => block.onnx(e, map),
            Self::ConvNext(block) => block.onnx(e, map),
            Self::Dense(block) => block.onnx(e, map),
        }
    }

    pub(super) fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        match self {
            Self::Residual(block) => block.set_batch_norm_stats(statistics),
            Self::Keyword(block) => block.set_batch_norm_stats(statistics),
            Self::Inverted(block) => block.set_batch_norm_stats(statistics),
            // Its norms have none.
            Self::ConvNext(_) => {}
            Self::Dense(block) => block.set_batch_norm_stats(statistics),
        }
    }
}

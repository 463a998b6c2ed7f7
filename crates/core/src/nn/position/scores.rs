//! What each block adds to its scores for the positions, from parameters of its own.

use tch::Tensor;

use super::disentangled::Disentangled;
use super::distances::{DistanceScores, SinusoidScores};
use super::gated::BiasGate;
use super::grid::{GridBias, GridTables};
use super::relative::{GraphPositions, PositionConfig, PositionContext};
use super::scored::{GraphScored, HeadShape, Scored};
use crate::error::Result;
use crate::nn::exporter::Exporter;
use crate::onnx::Value;
use crate::weights::VarBuilder;

/// A block's own part in what attention knows of positions. One variant for each kind that has one;
/// each kind is a file of its own.
#[derive(Debug)]
pub(crate) enum RelativeScores {
    /// All blocks add the same, if anything: the bias of [`PositionContext`].
    Shared,
    Disentangled(Disentangled),
    Gated(BiasGate),
    Distances(DistanceScores),
    Sinusoids(SinusoidScores),
    Grid(GridBias),
}

impl RelativeScores {
    /// A block's own parameters for positions, below `vb`, that of its attention.
    pub(crate) fn new(
        vb: &VarBuilder<'_>,
        config: PositionConfig,
        shape: HeadShape,
    ) -> Result<Self> {
        Ok(match config {
            PositionConfig::None
            | PositionConfig::Rotary(_)
            | PositionConfig::RotaryInputs(_)
            | PositionConfig::Buckets(_) => Self::Shared,
            PositionConfig::GatedBuckets(_) => Self::Gated(BiasGate::new(vb, shape)?),
            PositionConfig::Distances(config) => {
                Self::Distances(DistanceScores::new(vb, config, shape)?)
            }
            PositionConfig::Sinusoids => Self::Sinusoids(SinusoidScores::new(vb, shape)?),
            PositionConfig::Disentangled(config) => {
                Self::Disentangled(Disentangled::new(vb, config, shape)?)
            }
            PositionConfig::Grid(config) => match config.tables {
                GridTables::Shared => Self::Shared,
                GridTables::Blocks | GridTables::BlocksAndShared => {
                    Self::Grid(GridBias::new(&vb.sub("relative"), config, shape.heads)?)
                }
            },
        })
    }

    /// What is added to scores, after they were scaled: broadcasts to `[B, H, T, T]`. `None`: nothing.
    pub(crate) fn forward(&self, of: Scored<'_>, context: &PositionContext) -> Option<Tensor> {
        match self {
            Self::Shared => context.bias.as_ref().map(Tensor::shallow_clone),
            Self::Disentangled(own) => Some(own.forward(of, context.distances.as_ref()?)),
            Self::Grid(own) => {
                let own = own.forward(context.grid.as_ref()?);
                Some(context.bias.as_ref().map(|shared| shared + &own).unwrap_or(own))
            }
            Self::Gated(own) => Some(own.forward(of, context.bias.as_ref()?)),
            Self::Distances(own) => Some(own.forward(of, context.pairs.as_ref()?)),
            Self::Sinusoids(own) => Some(own.forward(of, context.distances.as_ref()?)),
        }
    }

    /// The same in a graph.
    pub(crate) fn onnx(
        &self,
        e: &Exporter,
        of: GraphScored<'_>,
        context: &GraphPositions,
    ) -> Option<Value> {
        match self {
            Self::Shared => context.bias.clone(),
            Self::Disentangled(own) => own.onnx(e, of, context.distances.as_ref()?),
            Self::Grid(own) => {
                let own = own.onnx(e, context.grid.as_ref()?);
                Some(context.bias.as_ref().map(|shared| shared + &own).unwrap_or(own))
            }
            Self::Gated(own) => Some(own.onnx(e, of, context.bias.as_ref()?)),
            Self::Distances(own) => Some(own.onnx(e, of, context.pairs.as_ref()?)),
            Self::Sinusoids(own) => Some(own.onnx(e, of, context.distances.as_ref()?)),
        }
    }
}

//! What attention knows of positions, of any kind.

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use super::buckets::{BucketBias, BucketConfig};
use super::disentangled::{DisentangledConfig, DistanceTable, Distances};
use super::grid::{GridBias, GridBiasConfig, GridPairs, GridTables};
use super::rotary::{Rotary, RotaryConfig};
use super::scored::HeadShape;
use crate::error::Result;
use crate::nn::features::TokenLayout;
use crate::weights::VarBuilder;

/// What attention knows of positions, beside what the embedder added.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PositionConfig {
    /// Nothing.
    #[default]
    None,
    /// Queries and keys are rotated by their positions.
    Rotary(RotaryConfig),
    /// Scores have a bias by the distance: MPNet.
    Buckets(BucketConfig),
    /// Queries and keys are scored against vectors of their distance: DeBERTa.
    Disentangled(DisentangledConfig),
    /// Scores have a bias by the distance on a grid: BEiT.
    Grid(GridBiasConfig),
}

impl PositionConfig {
    /// What is wrong with it for heads of a width.
    pub(crate) fn problem(&self, head_width: i64) -> Option<String> {
        match self {
            Self::None => None,
            Self::Rotary(rotary) => rotary.problem(head_width),
            Self::Buckets(buckets) => buckets.problem(),
            Self::Disentangled(config) => config.problem(),
            Self::Grid(config) => config.problem(),
        }
    }
}

/// The parameters of positions that all blocks share.
#[derive(Debug)]
pub(crate) enum RelativePositions {
    None,
    Rotary(RotaryConfig),
    Buckets(BucketBias),
    Disentangled(DistanceTable),
    Grid(GridBiasConfig, Option<GridBias>),
}

/// What every block needs to know of the positions in one forward pass.
#[derive(Debug, Default)]
pub(crate) struct PositionContext {
    /// How queries and keys are rotated.
    pub(crate) rotary: Option<Rotary>,
    /// What is added to scores: broadcasts to `[B, heads, T, T]`.
    pub(crate) bias: Option<Tensor>,
    /// Vectors of distances, of which every block makes its own bias.
    pub(crate) distances: Option<Distances>,
    /// Pairs on a grid, of which every block makes its own bias.
    pub(crate) grid: Option<GridPairs>,
}

impl RelativePositions {
    /// The parameters below `vb`, if the kind has any that blocks share.
    pub(crate) fn new(
        vb: &VarBuilder<'_>,
        config: PositionConfig,
        shape: HeadShape,
    ) -> Result<Self> {
        Ok(match config {
            PositionConfig::None => Self::None,
            PositionConfig::Rotary(rotary) => Self::Rotary(rotary),
            PositionConfig::Buckets(buckets) => {
                Self::Buckets(BucketBias::new(&vb.sub("relative"), buckets, shape.heads)?)
            }
            PositionConfig::Disentangled(config) => {
                Self::Disentangled(DistanceTable::new(vb, config, shape.width)?)
            }
            PositionConfig::Grid(config) => {
                let shared = match config.tables {
                    GridTables::Blocks => None,
                    GridTables::Shared | GridTables::BlocksAndShared => {
                        Some(GridBias::new(&vb.sub("relative"), config, shape.heads)?)
                    }
                };
                Self::Grid(config, shared)
            }
        })
    }

    /// What the blocks need for a sequence of `t` positions; `base` replaces the rotary base.
    pub(crate) fn context(
        &self,
        layout: TokenLayout,
        t: i64,
        head_width: i64,
        base: Option<f64>,
        device: Device,
    ) -> PositionContext {
        match self {
            Self::None => PositionContext::default(),
            Self::Rotary(config) => {
                let config = base.map_or(*config, RotaryConfig::of);
                let rotary = Some(config.table(layout, t, head_width, device));
                PositionContext { rotary, ..PositionContext::default() }
            }
            Self::Buckets(bias) => {
                PositionContext { bias: Some(bias.forward(t)), ..PositionContext::default() }
            }
            Self::Disentangled(table) => {
                PositionContext { distances: Some(table.forward(t)), ..PositionContext::default() }
            }
            Self::Grid(config, shared) => {
                let pairs = config.pairs(layout, t, device);
                let bias = shared.as_ref().map(|shared| shared.forward(&pairs));
                PositionContext { bias, grid: Some(pairs), ..PositionContext::default() }
            }
        }
    }
}

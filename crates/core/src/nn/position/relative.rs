//! What attention knows of positions, of any kind.

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use super::buckets::{BucketBias, BucketConfig};
use super::disentangled::{
    DisentangledConfig, DistanceTable, Distances, GraphDistances, PositionProjections,
};
use super::distances::{DistanceConfig, sinusoids, sinusoids_onnx};
use super::grid::{GraphPairs, GridBias, GridBiasConfig, GridPairs, GridTables};
use super::rotary::{GraphRotary, Rotary, RotaryConfig};
use super::scored::HeadShape;
use crate::error::Result;
use crate::nn::exporter::Exporter;
use crate::nn::features::TokenLayout;
use crate::onnx::Value;
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
    /// Hidden states are rotated by heads ahead of the layers for queries and keys:
    /// wav2vec2-conformer.
    RotaryInputs(RotaryConfig),
    /// Scores have a bias by the distance, which each block gates for each query: WavLM.
    GatedBuckets(BucketConfig),
    /// Queries are scored against vectors of their distance: wav2vec2-BERT.
    Distances(DistanceConfig),
    /// Queries are scored against sinusoids of their distance: Transformer-XL, wav2vec2-conformer.
    Sinusoids,
    /// Scores have a bias by the distance on a grid: BEiT.
    Grid(GridBiasConfig),
}

impl PositionConfig {
    /// What is wrong with it for heads of a width.
    pub(crate) fn problem(&self, head_width: i64) -> Option<String> {
        match self {
            Self::None | Self::Sinusoids => None,
            Self::Rotary(rotary) | Self::RotaryInputs(rotary) => rotary.problem(head_width),
            Self::Buckets(buckets) | Self::GatedBuckets(buckets) => buckets.problem(),
            Self::Distances(distances) => distances.problem(),
            Self::Disentangled(config) => config.problem(),
            Self::Grid(config) => config.problem(),
        }
    }

    /// Whether the layers that make queries and keys of hidden states make them of vectors of distances,
    /// too.
    pub(crate) fn are_projected_as_states(&self) -> bool {
        let Self::Disentangled(config) = self else { return false };
        config.projections == PositionProjections::Shared
    }
}

/// The parameters of positions that all blocks share.
#[derive(Debug)]
pub(crate) enum RelativePositions {
    None,
    Rotary(RotaryConfig),
    Buckets(BucketBias),
    Disentangled(DistanceTable),
    RotaryInputs(RotaryConfig),
    Distances(DistanceConfig),
    /// For hidden states of this width.
    Sinusoids(i64),
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
    /// How hidden states are rotated, of which queries and keys are made.
    pub(crate) rotary_inputs: Option<Rotary>,
    /// Which of a block's own vectors belongs to each query and key: `[T, T]`, i64.
    pub(crate) pairs: Option<Tensor>,
    /// Pairs on a grid, of which every block makes its own bias.
    pub(crate) grid: Option<GridPairs>,
}

/// The same in a graph.
#[derive(Debug, Default)]
pub(crate) struct GraphPositions {
    pub(crate) rotary: Option<GraphRotary>,
    pub(crate) bias: Option<Value>,
    pub(crate) distances: Option<GraphDistances>,
    pub(crate) rotary_inputs: Option<GraphRotary>,
    pub(crate) pairs: Option<Value>,
    pub(crate) grid: Option<GraphPairs>,
}

impl PositionContext {
    /// The same for positions in another order, `[N]`, i64; see
    /// [`are_of_each_position`](RelativePositions::are_of_each_position).
    pub(crate) fn at(self, positions: &Tensor) -> Self {
        let at = |rotary: Option<Rotary>| rotary.map(|rotary| rotary.at(positions));
        Self { rotary: at(self.rotary), rotary_inputs: at(self.rotary_inputs), ..self }
    }
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
            PositionConfig::RotaryInputs(rotary) => Self::RotaryInputs(rotary),
            PositionConfig::Distances(distances) => Self::Distances(distances),
            PositionConfig::Sinusoids => Self::Sinusoids(shape.width),
            PositionConfig::Buckets(buckets) | PositionConfig::GatedBuckets(buckets) => {
                Self::Buckets(BucketBias::new(&vb.sub("relative"), buckets, shape.heads)?)
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
            PositionConfig::Disentangled(config) => {
                Self::Disentangled(DistanceTable::new(vb, config, shape.width)?)
            }
        })
    }

    /// Whether what is known of positions is of each by itself, not of any two.
    pub(crate) fn are_of_each_position(&self) -> bool {
        matches!(self, Self::None | Self::Rotary(_) | Self::RotaryInputs(_))
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
        let none = PositionContext::default();
        match self {
            Self::None => none,
            Self::Rotary(config) => {
                let config = base.map_or(*config, RotaryConfig::of);
                let rotary = Some(config.table(layout, t, head_width, device));
                PositionContext { rotary, ..none }
            }
            Self::Buckets(bias) => PositionContext { bias: Some(bias.forward(t)), ..none },
            Self::Grid(config, shared) => {
                let pairs = config.pairs(layout, t, device);
                let bias = shared.as_ref().map(|shared| shared.forward(&pairs));
                PositionContext { bias, grid: Some(pairs), ..none }
            }
            Self::Disentangled(table) => {
                PositionContext { distances: Some(table.forward(t)), ..none }
            }
            Self::RotaryInputs(config) => {
                let rotary_inputs = Some(config.table(layout, t, head_width, device));
                PositionContext { rotary_inputs, ..none }
            }
            Self::Distances(config) => {
                PositionContext { pairs: Some(config.of_pairs(t, device)), ..none }
            }
            Self::Sinusoids(width) => {
                PositionContext { distances: Some(sinusoids(t, *width, device)), ..none }
            }
        }
    }
    /// The same in a graph, for a sequence of `t`, `[1]`, positions.
    pub(crate) fn onnx(
        &self,
        e: &Exporter,
        layout: TokenLayout,
        t: &Value,
        head_width: i64,
        base: Option<f64>,
    ) -> GraphPositions {
        let none = GraphPositions::default();
        let numbers = t.range();
        let [rows, columns] = [[1], [0]].map(|at| numbers.unsqueeze(&at));
        let (behind, ahead) = (|| &rows - &columns, || &columns - &rows);
        match self {
            Self::None => none,
            Self::Rotary(config) => {
                let config = base.map_or(*config, RotaryConfig::of);
                let rotary = Some(config.onnx(e, layout, &numbers, head_width));
                GraphPositions { rotary, ..none }
            }
            Self::Buckets(bias) => GraphPositions { bias: Some(bias.onnx(e, &ahead())), ..none },
            Self::Grid(config, shared) => {
                let pairs = config.onnx(e, layout, &behind());
                let bias = shared.as_ref().map(|shared| shared.onnx(e, &pairs));
                GraphPositions { bias, grid: Some(pairs), ..none }
            }
            Self::Disentangled(table) => {
                GraphPositions { distances: Some(table.onnx(e, &behind())), ..none }
            }
            Self::RotaryInputs(config) => {
                let rotary_inputs = Some(config.onnx(e, layout, &numbers, head_width));
                GraphPositions { rotary_inputs, ..none }
            }
            Self::Distances(config) => {
                GraphPositions { pairs: Some(config.onnx(&ahead())), ..none }
            }
            Self::Sinusoids(width) => {
                let distances = Some(sinusoids_onnx(e, t, &behind(), *width));
                GraphPositions { distances, ..none }
            }
        }
    }
}

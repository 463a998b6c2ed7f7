//! A stage: blocks behind one another, and what stands before them or behind the last.

use tch::Tensor;

use super::block::Block;
use super::config::{Before, ConvNetConfig, End, Stage};
use crate::error::Result;
use crate::nn::exporter::{Exporter, GraphMap};
use crate::nn::layers::{Activation, BatchNormStats, Conv2d, ConvConfig, MapNorm};
use crate::onnx::{PoolShape, Value};
use crate::weights::VarBuilder;

/// Blocks with equal output shape.
#[derive(Debug)]
pub(super) struct Blocks {
    before: Option<Transition>,
    blocks: Vec<Block>,
}

impl Blocks {
    /// The blocks of a stage that gets `c_in` channels and has so many blocks earlier: parameters `M.…` of each block, and
    /// `before.{norm,conv}`.
    pub(super) fn new(
        vb: &VarBuilder<'_>,
        config: &ConvNetConfig,
        stage: &Stage,
        c_in: i64,
        earlier: usize,
    ) -> Result<Self> {
        let (before, c_in) = match stage.before {
            None => (None, c_in),
            Some(Before::Transition(c_out)) => {
                let vb = vb.sub("before");
                (Some(Transition::new(&vb, config, (c_in, c_out))?), c_out)
            }
        };
        let block = |j| Block::new(&vb.sub(j), &config.block(stage, c_in, j, earlier));
        let blocks = (0..stage.blocks).map(block).collect::<Result<_>>()?;
        Ok(Self { before, blocks })
    }

    /// `[B, c_in, H, W]` to `[B, width, H', W']`.
    pub(super) fn forward(&self, x: Tensor, train: bool) -> Tensor {
        let x = self.before.as_ref().map_or_else(|| x.shallow_clone(), |b| b.forward(&x, train));
        let (mut x, mut carried) = (x, None);
        for block in &self.blocks {
            x = block.forward(&x, &mut carried, train);
        }
        x
    }

    /// The same in a graph.
    pub(super) fn onnx(&self, e: &Exporter, map: GraphMap) -> GraphMap {
        let map = self.before.as_ref().map(|before| before.onnx(e, &map)).unwrap_or(map);
        let mut carried = None;
        self.blocks.iter().fold(map, |map, block| block.onnx(e, &map, &mut carried))
    }

    pub(super) fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        self.before.iter().for_each(|before| before.norm.set_batch_norm_stats(statistics));
        self.blocks.iter().for_each(|block| block.set_batch_norm_stats(statistics));
    }
}

/// A norm, the activation, a 1 × 1 convolution and mean pooling.
#[derive(Debug)]
struct Transition {
    norm: MapNorm,
    conv: Conv2d,
    activation: Activation,
}

impl Transition {
    fn new(vb: &VarBuilder<'_>, config: &ConvNetConfig, (c_in, c_out): (i64, i64)) -> Result<Self> {
        Ok(Self {
            norm: MapNorm::new(&vb.sub("norm"), c_in, &config.norm)?,
            conv: Conv2d::new(&vb.sub("conv"), ConvConfig::new((c_in, c_out), 1, 1))?,
            activation: config.activation,
        })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let x = self.activation.forward(&self.norm.forward(x, train));
        self.conv.forward(&x).avg_pool2d([2, 2], [2, 2], [0, 0], false, true, None)
    }

    /// The same in a graph.
    fn onnx(&self, e: &Exporter, map: &GraphMap) -> GraphMap {
        let map = map.with(self.activation.onnx(&self.norm.onnx(e, &map.x)));
        let shape = PoolShape { kernel: [2; 2], strides: [2; 2], padding: 0, ceil: false };
        let x = self.conv.onnx(e, &map).x.avg_pool(shape);
        GraphMap { x, sides: map.sides.map(|side| side / 2) }
    }
}

/// What follows the last stage.
#[derive(Debug)]
pub(super) struct LastLayer {
    norm: MapNorm,
    activation: Activation,
}

impl LastLayer {
    /// Parameters `norm`; `None`: the last stage is the end.
    pub(super) fn new(vb: &VarBuilder<'_>, config: &ConvNetConfig) -> Result<Option<Self>> {
        match config.end {
            End::Without => Ok(None),
            End::Norm => {
                let norm = MapNorm::new(&vb.sub("norm"), config.width(), &config.norm)?;
                Ok(Some(Self { norm, activation: config.activation }))
            }
        }
    }

    /// `[B, width, H, W]` to the same shape.
    pub(super) fn forward(&self, x: Tensor, train: bool) -> Tensor {
        self.activation.forward(&self.norm.forward(&x, train))
    }

    /// The same in a graph.
    pub(super) fn onnx(&self, e: &Exporter, x: &Value) -> Value {
        self.activation.onnx(&self.norm.onnx(e, x))
    }

    pub(super) fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        self.norm.set_batch_norm_stats(statistics);
    }
}

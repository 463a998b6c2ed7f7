//! The one ResNet (He et al. 2016) that serves every family of them.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::error::{Error, Result};
use crate::nn::layers::{BatchNorm2d, BatchNormStats, Conv2d};
use crate::weights::VarBuilder;

/// Which convolutions a block has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockKind {
    /// Two of 3 × 3, each normalised.
    Basic,
    /// A 1 × 1 convolution to a quarter of the channels, a 3 × 3 one with the stride, and a 1 × 1
    /// one back.
    Bottleneck,
    /// Two of 3 × 3, each followed by ReLU and then the norm; the shortcut carries the sum before
    /// the norm (Tang and Lin 2018).
    Keyword,
}

/// How the shortcut brings a block's input to another shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Shortcut {
    /// By a normalised 1 × 1 convolution (option B).
    Projected,
    /// By every other position, and zero channels on both sides (option A): no parameters.
    Padded,
}

/// A group of blocks with equal output shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The number of blocks.
    pub blocks: usize,
    /// Output channels.
    pub width: i64,
    /// The stride of the first block.
    pub stride: i64,
}

/// The shape of a ResNet without its stem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNetConfig {
    /// Input channels.
    #[serde(alias = "planes")]
    pub in_channels: i64,
    /// The stages.
    pub stages: Vec<Stage>,
    /// The kind of every block.
    pub block: BlockKind,
    /// How shortcuts change the shape.
    pub shortcut: Shortcut,
}

impl ResNetConfig {
    /// Output channels.
    pub fn width(&self) -> i64 {
        self.stages.last().map_or(self.in_channels, |stage| stage.width)
    }

    /// How many parameters a network has at the least, and how many values they have.
    fn least(&self) -> (u128, u128) {
        self.stages.iter().fold((0, 0), |(tensors, values), stage| {
            let (blocks, width) = (stage.blocks as u128, u128::from(stage.width.unsigned_abs()));
            // Two convolutions and their norms at least; a bottleneck's have w² values in all.
            let of_stage = width.saturating_mul(width).saturating_mul(blocks);
            (tensors + 6 * blocks, of_stage.saturating_add(values))
        })
    }

    pub(super) fn validate(&self) -> Result<()> {
        let positive = |s: &Stage| s.blocks > 0 && s.width > 0 && s.stride > 0;
        let problem = if self.in_channels < 1
            || self.stages.is_empty()
            || !self.stages.iter().all(positive)
        {
            "stages, their blocks, channels and strides must be at least 1"
        } else if self.block == BlockKind::Bottleneck
            && self.stages.iter().any(|s| s.width % 4 != 0)
        {
            "a bottleneck's channels must be a multiple of 4"
        } else if self.block == BlockKind::Keyword && self.stages.len() > 1 {
            "a keyword spotter has one stage"
        } else {
            return Ok(());
        };
        Err(Error::setting("resnet", problem))
    }
}

/// A convolution with its norm.
#[derive(Debug)]
struct Layer {
    conv: Conv2d,
    norm: BatchNorm2d,
}

impl Layer {
    /// `names` are those of the convolution and of the norm.
    fn new(
        vb: &VarBuilder<'_>,
        names: [&str; 2],
        (c_in, c_out): (i64, i64),
        kernel: i64,
        stride: i64,
    ) -> Result<Self> {
        Ok(Self {
            conv: Conv2d::new(&vb.sub(names[0]), c_in, c_out, kernel, stride)?,
            norm: BatchNorm2d::new(&vb.sub(names[1]), c_out)?,
        })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        self.norm.forward(&self.conv.forward(x), train)
    }
}

#[derive(Debug)]
enum Past {
    /// Input and output have one shape.
    Same,
    Projected(Layer),
    Padded {
        stride: i64,
        channels: i64,
    },
}

#[derive(Debug)]
struct ResidualBlock {
    kind: BlockKind,
    layers: Vec<Layer>,
    past: Past,
}

impl ResidualBlock {
    fn new(
        vb: &VarBuilder<'_>,
        config: &ResNetConfig,
        c_in: i64,
        c_out: i64,
        stride: i64,
    ) -> Result<Self> {
        let (one, two, three) = (["conv1", "norm1"], ["conv2", "norm2"], ["conv3", "norm3"]);
        let layers = match config.block {
            BlockKind::Basic | BlockKind::Keyword => vec![
                Layer::new(vb, one, (c_in, c_out), 3, stride)?,
                Layer::new(vb, two, (c_out, c_out), 3, 1)?,
            ],
            BlockKind::Bottleneck => vec![
                Layer::new(vb, one, (c_in, c_out / 4), 1, 1)?,
                Layer::new(vb, two, (c_out / 4, c_out / 4), 3, stride)?,
                Layer::new(vb, three, (c_out / 4, c_out), 1, 1)?,
            ],
        };
        let past = match config.shortcut {
            _ if c_in == c_out && stride == 1 => Past::Same,
            Shortcut::Padded => Past::Padded { stride, channels: c_out - c_in },
            Shortcut::Projected => {
                let vb = vb.sub("shortcut");
                Past::Projected(Layer::new(&vb, ["conv", "norm"], (c_in, c_out), 1, stride)?)
            }
        };
        Ok(Self { kind: config.block, layers, past })
    }

    /// `x` is the input of the convolutions, `carried` that of the shortcut; both outputs come
    /// back. They differ only in a keyword spotter.
    fn forward(&self, x: Tensor, carried: &Tensor, train: bool) -> (Tensor, Tensor) {
        let past = match &self.past {
            Past::Same => carried.shallow_clone(),
            Past::Projected(layer) => layer.forward(carried, train),
            Past::Padded { stride, channels } => {
                let size = carried.size();
                let thin = carried.slice(2, 0, size[2], *stride).slice(3, 0, size[3], *stride);
                let (before, behind) = (channels / 2, channels - channels / 2);
                thin.constant_pad_nd([0, 0, 0, 0, before, behind])
            }
        };
        if let (BlockKind::Keyword, [first, second]) = (self.kind, self.layers.as_slice()) {
            let y = first.norm.forward(&first.conv.forward(&x).relu_(), train);
            let sum = second.conv.forward(&y).relu() + past;
            return (second.norm.forward(&sum, train), sum);
        }
        let last = self.layers.len() - 1;
        let y = self.layers.iter().enumerate().fold(x, |x, (i, layer)| {
            let y = layer.forward(&x, train);
            if i < last { y.relu() } else { y }
        });
        let sum = (y + past).relu();
        (sum.shallow_clone(), sum)
    }
}

/// Stages of residual blocks from feature map to feature map.
#[derive(Debug)]
pub struct ResNet {
    config: ResNetConfig,
    /// By stage.
    stages: Vec<Vec<ResidualBlock>>,
}

impl ResNet {
    /// Parameters `stages.N.M.{conv1,norm1,conv2,norm2,…}`, with `shortcut.{conv,norm}` where a
    /// block changes the shape.
    ///
    /// # Errors
    /// If the configuration contradicts itself, or the source of `vb` lacks a tensor.
    pub fn new(vb: &VarBuilder<'_>, config: ResNetConfig) -> Result<Self> {
        config.validate()?;
        let (tensors, values) = config.least();
        vb.check_room(tensors, values)?;
        let (mut stages, mut channels) = (vec![], config.in_channels);
        for (i, stage) in config.stages.iter().enumerate() {
            let mut blocks = vec![];
            for j in 0..stage.blocks {
                let stride = if j == 0 { stage.stride } else { 1 };
                let vb = vb.sub("stages").sub(i).sub(j);
                blocks.push(ResidualBlock::new(&vb, &config, channels, stage.width, stride)?);
                channels = stage.width;
            }
            stages.push(blocks);
        }
        Ok(Self { config, stages })
    }

    /// What it was built from.
    pub fn config(&self) -> &ResNetConfig {
        &self.config
    }

    /// Decides whether the norms' running statistics are updated.
    pub fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        for block in self.stages.iter().flatten() {
            let past = match &block.past {
                Past::Projected(layer) => Some(layer),
                Past::Same | Past::Padded { .. } => None,
            };
            block.layers.iter().chain(past).for_each(|l| l.norm.set_batch_norm_stats(statistics));
        }
    }

    /// `[B, in_channels, H, W]` to `[B, width, H', W']`; in training, norms whose statistics are
    /// updated normalise by the batch's.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        self.forward_range(x, 0..usize::MAX, train)
    }

    /// The forward pass through some of the stages. A keyword spotter has but one.
    pub fn forward_range(&self, x: &Tensor, parts: Range<usize>, train: bool) -> Tensor {
        let start = (x.shallow_clone(), x.shallow_clone());
        let count = self.stages.len();
        let stages = &self.stages[parts.start.min(count)..parts.end.min(count)];
        let blocks = stages.iter().flatten();
        blocks.fold(start, |(x, carried), block| block.forward(x, &carried, train)).0
    }
}

#[cfg(test)]
mod tests {
    use tch::nn::VarStore;
    use tch::{Device, Kind};

    use super::*;
    use crate::model::{Freeze, ModelOutline};
    use crate::weights::{Fresh, Origin};

    fn config(block: BlockKind, shortcut: Shortcut) -> ResNetConfig {
        let stage = |width, stride| Stage { blocks: 2, width, stride };
        ResNetConfig { in_channels: 8, stages: vec![stage(8, 1), stage(16, 2)], block, shortcut }
    }

    #[test]
    fn statistics_of_frozen_norms_are_not_updated_and_others_are() {
        let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
        let root = VarBuilder::root(&store, &fresh).sub("trunk");
        let net = ResNet::new(&root, config(BlockKind::Basic, Shortcut::Projected)).unwrap();
        let x = Tensor::randn([2, 8, 6, 6], (Kind::Float, Device::Cpu)) + 3.;
        let mean = || store.variables()["trunk.stages.0.0.norm1.running_mean"].copy();
        assert!(!store.variables()["trunk.stages.0.0.norm1.running_mean"].requires_grad());
        for (trains, updates) in [(false, false), (true, true)] {
            let freeze = if trains { Freeze::nothing() } else { "trunk".parse().unwrap() };
            freeze.apply(&store, ModelOutline { depth: 2, embedder: Origin::Pretrained }).unwrap();
            let before = mean();
            assert_eq!(net.forward(&x, true).size(), [2, 16, 3, 3]);
            assert_eq!(mean() != before, updates);
            let before = mean();
            let _ = net.forward(&x, false);
            assert_eq!(mean(), before, "prediction updates nothing");
        }
    }

    #[test]
    fn a_padded_shortcut_has_no_parameters_and_keeps_every_other_position() {
        let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
        let root = VarBuilder::root(&store, &fresh);
        let config = config(BlockKind::Basic, Shortcut::Padded);
        let block = ResidualBlock::new(&root, &config, 8, 16, 2).unwrap();
        assert!(store.variables().keys().all(|name| !name.contains("shortcut")));
        // With convolutions of zeros, the output is that of the shortcut.
        for (name, mut tensor) in store.variables() {
            if name.contains("conv") {
                let _ = tch::no_grad(|| tensor.zero_());
            }
        }
        let x = Tensor::rand([1, 8, 5, 5], (Kind::Float, Device::Cpu));
        let (y, _) = block.forward(x.shallow_clone(), &x, false);
        assert_eq!(y.size(), [1, 16, 3, 3]);
        assert_eq!(y.narrow(1, 4, 8), x.slice(2, 0, 5, 2).slice(3, 0, 5, 2));
        assert_eq!(y.narrow(1, 0, 4).abs().sum(Kind::Float).double_value(&[]), 0.);
    }

    #[test]
    fn a_contradiction_is_named() {
        let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
        let root = VarBuilder::root(&store, &fresh);
        let mut narrow = config(BlockKind::Bottleneck, Shortcut::Projected);
        narrow.stages[1].width = 6;
        let error = ResNet::new(&root, narrow).unwrap_err();
        assert!(error.to_string().contains("a multiple of 4"), "{error}");
    }
}

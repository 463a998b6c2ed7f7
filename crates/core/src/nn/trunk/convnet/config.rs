//! What a convolutional network is built from.

use serde::{Deserialize, Serialize};

use super::kinds::{ConvNextConfig, InvertedConfig};
use crate::error::{Error, Result};
use crate::nn::layers::{Activation, NormConfig, Padding};

/// What a block computes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockKind {
    /// Two convolutions of 3 × 3, each normalised, and a shortcut.
    Basic,
    /// A 1 × 1 convolution to a quarter of the channels, a 3 × 3 one with the stride, and a 1 × 1
    /// one back, and a shortcut.
    Bottleneck,
    /// Two of 3 × 3, each followed by ReLU and then the norm; the shortcut carries the sum before
    /// the norm (Tang and Lin 2018).
    Keyword,
    /// Convolutions to many channels and back: MobileNet, EfficientNet.
    Inverted(InvertedConfig),
    /// A depthwise convolution and an MLP: ConvNeXt.
    ConvNext(ConvNextConfig),
}

impl BlockKind {
    /// How many parameters a block has at the least, and how many values they have.
    fn least(self, width: u128) -> (u128, u128) {
        match self {
            Self::Inverted(_) | Self::ConvNext(_) => (3, width),
            // Two convolutions and their norms; a bottleneck's have w² values in all.
            _ => (6, width.saturating_mul(width)),
        }
    }

    /// What cannot be.
    fn problem(&self) -> Option<String> {
        match self {
            Self::Inverted(block) => block.problem(),
            Self::ConvNext(block) => block.problem(),
            _ => None,
        }
    }
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

/// What follows the last stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// Nothing.
    #[default]
    Without,
    /// A norm and the activation: pre-activation ResNets, DenseNet.
    Norm,
    /// A 1 × 1 convolution to so many channels, a norm and the activation: EfficientNet.
    Conv(i64),
}

/// What stands before a stage's blocks and changes the shape in their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Before {
    /// A norm, the activation, a 1 × 1 convolution to so many channels, and mean pooling over 2 × 2
    /// (DenseNet, Huang et al. 2017, §3).
    Transition(i64),
}

/// A group of blocks with equal output shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The number of blocks.
    pub blocks: usize,
    /// Output channels.
    pub width: i64,
    /// The stride of the first block.
    pub stride: i64,
    /// What stands before the blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Before>,
    /// The kinds of its blocks, in their order, where they are others than the network's; the last
    /// also stands for those behind it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<BlockKind>,
}

impl Stage {
    /// Blocks of the network's kind.
    pub fn new(blocks: usize, width: i64, stride: i64) -> Self {
        Self { blocks, width, stride, before: None, kinds: vec![] }
    }
}

/// The shape of a convolutional network without its stem.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvNetConfig {
    /// Input channels.
    #[serde(alias = "planes")]
    pub in_channels: i64,
    /// The stages.
    pub stages: Vec<Stage>,
    /// The kind of every block, where a stage has no other.
    pub block: BlockKind,
    /// How shortcuts change the shape.
    pub shortcut: Shortcut,
    /// The norms.
    #[serde(default, skip_serializing_if = "NormConfig::is_usual")]
    pub norm: NormConfig,
    /// The activation.
    #[serde(default = "relu", skip_serializing_if = "is_relu")]
    pub activation: Activation,
    /// What the convolutions add around their inputs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub padding: Padding,
    /// What follows the last stage.
    #[serde(default, skip_serializing_if = "is_default")]
    pub end: End,
    /// The probability that the last block leaves a sample as it is, in training; it grows evenly from
    /// 0 at the first (stochastic depth, Huang et al. 2016). Residual blocks have none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub drop_path: f64,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn relu() -> Activation {
    Activation::Relu
}

fn is_relu(activation: &Activation) -> bool {
    *activation == Activation::Relu
}

/// What one block is built from.
#[derive(Debug, Clone, Copy)]
pub(super) struct BlockShape<'c> {
    pub(super) config: &'c ConvNetConfig,
    pub(super) kind: BlockKind,
    pub(super) c_in: i64,
    pub(super) c_out: i64,
    pub(super) stride: i64,
    pub(super) drop_path: f64,
}

impl ConvNetConfig {
    /// Blocks of one kind, projected shortcuts, batch norms and ReLU: ResNet.
    pub fn new(in_channels: i64, stages: Vec<Stage>, block: BlockKind) -> Self {
        Self {
            in_channels,
            stages,
            block,
            shortcut: Shortcut::Projected,
            norm: NormConfig::default(),
            activation: Activation::Relu,
            padding: Padding::Half,
            end: End::Without,
            drop_path: 0.,
        }
    }

    /// Output channels.
    pub fn width(&self) -> i64 {
        match (self.end, self.stages.last()) {
            (End::Conv(width), _) => width,
            (_, last) => last.map_or(self.in_channels, |stage| stage.width),
        }
    }

    /// The block `j` of a stage whose blocks get `c_in` channels, with so many blocks before the
    /// stage.
    pub(super) fn block(
        &self,
        stage: &Stage,
        c_in: i64,
        j: usize,
        before: usize,
    ) -> BlockShape<'_> {
        let kind = stage.kinds.get(j).or(stage.kinds.last()).copied().unwrap_or(self.block);
        let (c_in, stride) = if j == 0 { (c_in, stage.stride) } else { (stage.width, 1) };
        let all: usize = self.stages.iter().map(|stage| stage.blocks).sum();
        let drop_path = self.drop_path * (before + j) as f64 / (all.max(2) - 1) as f64;
        BlockShape { config: self, kind, c_in, c_out: stage.width, stride, drop_path }
    }

    /// How many parameters a network has at the least, and how many values they have.
    pub(super) fn least(&self) -> (u128, u128) {
        self.stages.iter().fold((0, 0), |(tensors, values), stage| {
            let (blocks, width) = (stage.blocks as u128, u128::from(stage.width.unsigned_abs()));
            let kind = stage.kinds.first().copied().unwrap_or(self.block);
            let (of_block, of_each) = kind.least(width);
            let of_stage = of_each.saturating_mul(blocks);
            (tensors + of_block * blocks, of_stage.saturating_add(values))
        })
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let positive = |s: &Stage| s.blocks > 0 && s.width > 0 && s.stride > 0;
        let kinds = || {
            let own = self.stages.iter().flat_map(|stage| &stage.kinds);
            own.chain([&self.block])
        };
        let widths = self.stages.iter().map(|stage| stage.width);
        let problem = if self.in_channels < 1
            || self.stages.is_empty()
            || !self.stages.iter().all(positive)
        {
            "stages, their blocks, channels and strides must be at least 1".to_string()
        } else if kinds().any(|kind| *kind == BlockKind::Bottleneck)
            && self.stages.iter().any(|s| s.width % 4 != 0)
        {
            "a bottleneck's channels must be a multiple of 4".into()
        } else if kinds().any(|kind| *kind == BlockKind::Keyword) && self.stages.len() > 1 {
            "a keyword spotter has one stage".into()
        } else if matches!(self.end, End::Conv(..1)) {
            "end: its channels must be at least 1".into()
        } else if self.stages.iter().any(|s| matches!(s.before, Some(Before::Transition(..1)))) {
            "before: its channels must be at least 1".into()
        } else if let Some(problem) = kinds().find_map(BlockKind::problem) {
            problem
        } else if !(0.0..1.0).contains(&self.drop_path) {
            format!("drop_path {}: must be at least 0 and below 1", self.drop_path)
        } else if let Some(problem) = self.norm.problem(widths) {
            problem
        } else {
            return Ok(());
        };
        Err(Error::setting("resnet", problem))
    }
}

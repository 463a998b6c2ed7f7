//! What a convolutional network is built from.

use serde::{Deserialize, Serialize};

use super::kinds::{ConvNextConfig, InvertedConfig};
use crate::error::{Error, Result};
use crate::nn::layers::{Activation, ConvConfig, NormConfig, NormPlacement, Padding, eps_problem};

/// What a block computes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BlockKind {
    /// Two convolutions of 3 × 3, each normalised, and a shortcut.
    Basic,
    /// A 1 × 1 convolution to the inner channels, a 3 × 3 one with the stride, and a 1 × 1 one back,
    /// and a shortcut.
    Bottleneck,
    /// Two of 3 × 3, each followed by ReLU and then the norm; the shortcut carries the sum before
    /// the norm (Tang and Lin 2018).
    Keyword,
    /// Two convolutions behind norms, of 1 × 1 to the inner channels and of 3 × 3, whose outputs are
    /// added to the channels (DenseNet, Huang et al. 2017).
    Dense,
    /// Convolutions to many channels and back: MobileNet, EfficientNet.
    Inverted(InvertedConfig),
    /// A depthwise convolution and an MLP: ConvNeXt.
    ConvNext(ConvNextConfig),
}

impl BlockKind {
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
    /// By mean pooling and a normalised 1 × 1 convolution (ResNet-D, He et al. 2019, §4.2).
    Pooled,
    /// By every other position, and zero channels on both sides (option A): no parameters.
    Padded,
}

/// Attention to channels in residual blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Squeeze {
    /// Squeeze-and-excite behind the last convolution, by a 16th of its channels, rounded to a
    /// multiple of 8 (SE-ResNet, Hu et al. 2018).
    Outputs,
    /// Squeeze-and-excite behind the middle convolution, by a quarter of the block's input channels
    /// (RegNetY, Radosavovic et al. 2020).
    Inputs,
    /// A convolution over neighbouring channels, behind the last (ECA-Net, Wang et al. 2020): over
    /// the more of them, the more there are.
    Neighbours,
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
    /// Channels between a block's convolutions, where they are others than a quarter of `width` in
    /// bottlenecks and four times the growth in dense blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner: Option<i64>,
    /// Groups of the middle convolution of bottlenecks.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub groups: i64,
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
        Self { blocks, width, stride, inner: None, groups: 1, before: None, kinds: vec![] }
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
    /// Where residual blocks have their norms: with pre-norm, each before its convolution, and the
    /// shortcut takes the first norm's output where it changes the shape (He et al. 2016, "Identity
    /// Mappings").
    #[serde(default = "post", skip_serializing_if = "is_post")]
    pub norm_placement: NormPlacement,
    /// The epsilon of weight standardisation; `None`: filters are used as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standardise: Option<f64>,
    /// The attention to channels in residual blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub squeeze: Option<Squeeze>,
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

fn one() -> i64 {
    1
}

fn is_one(n: &i64) -> bool {
    *n == 1
}

fn post() -> NormPlacement {
    NormPlacement::Post
}

fn is_post(placement: &NormPlacement) -> bool {
    *placement == NormPlacement::Post
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
    /// Channels between the convolutions.
    pub(super) inner: i64,
    pub(super) groups: i64,
    pub(super) stride: i64,
    pub(super) drop_path: f64,
}

impl BlockShape<'_> {
    /// A convolution as the network has them.
    pub(super) fn conv(&self, channels: (i64, i64), kernel: i64, stride: i64) -> ConvConfig {
        let ConvNetConfig { padding, standardise, .. } = *self.config;
        ConvConfig { padding, standardise, ..ConvConfig::new(channels, kernel, stride) }
    }
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
            norm_placement: NormPlacement::Post,
            standardise: None,
            squeeze: None,
            activation: Activation::Relu,
            padding: Padding::Half,
            end: End::Without,
            drop_path: 0.,
        }
    }

    /// Output channels.
    pub fn width(&self) -> i64 {
        self.stages.last().map_or(self.in_channels, |stage| stage.width)
    }

    /// Whether any of the blocks can leave a sample as it is.
    pub(crate) fn has_drop_path(&self) -> bool {
        let kinds = self.stages.iter().flat_map(|stage| &stage.kinds).chain([&self.block]);
        kinds.into_iter().any(|k| matches!(k, BlockKind::Inverted(_) | BlockKind::ConvNext(_)))
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
        let (groups, stride) = (stage.groups, if j == 0 { stage.stride } else { 1 });
        let (c_in, c_out, inner) = match kind {
            BlockKind::Dense => {
                let growth = (stage.width - c_in) / stage.blocks as i64;
                let c_in = c_in + j as i64 * growth;
                (c_in, c_in + growth, 4 * growth)
            }
            _ => (if j == 0 { c_in } else { stage.width }, stage.width, stage.width / 4),
        };
        let inner = stage.inner.unwrap_or(inner);
        let all: usize = self.stages.iter().map(|stage| stage.blocks).sum();
        let drop_path = self.drop_path * (before + j) as f64 / (all.max(2) - 1) as f64;
        BlockShape { config: self, kind, c_in, c_out, inner, groups, stride, drop_path }
    }

    /// How many parameters a network has at the least, and how many values they have.
    pub(super) fn least(&self) -> (u128, u128) {
        self.stages.iter().fold((0, 0), |(tensors, values), stage| {
            let (blocks, width) = (stage.blocks as u128, u128::from(stage.width.unsigned_abs()));
            let of_block = match (stage.inner, self.block) {
                _ if !stage.kinds.is_empty() => 1,
                // The 1 × 1 convolutions of a bottleneck.
                (Some(inner), BlockKind::Bottleneck) => 2 * u128::from(inner.unsigned_abs()),
                // Two convolutions at least; a bottleneck's have w² values in all.
                (_, BlockKind::Basic | BlockKind::Bottleneck | BlockKind::Keyword) => width,
                // A value for each channel.
                _ => 1,
            };
            let of_stage = width.saturating_mul(of_block).saturating_mul(blocks);
            (tensors + 5 * blocks, of_stage.saturating_add(values))
        })
    }

    /// Checks all numbers, before anything is built.
    ///
    /// # Errors
    /// Names the first that cannot be.
    pub(crate) fn validate(&self) -> Result<()> {
        let refused = |problem: String| Err(Error::setting("resnet", problem));
        let numbers = |s: &Stage| [s.width, s.stride, s.groups, s.inner.unwrap_or(1)];
        let positive =
            |s: &Stage| s.blocks > 0 && numbers(s).iter().all(|&n| (1..MOST).contains(&n));
        if !(1..MOST).contains(&self.in_channels)
            || self.stages.is_empty()
            || !self.stages.iter().all(positive)
        {
            let problem = "stages, their blocks, channels and strides must be at least 1 and below";
            return refused(format!("{problem} {MOST}"));
        }
        if !(0.0..1.0).contains(&self.drop_path) {
            let problem = format!("drop_path {}: must be at least 0 and below 1", self.drop_path);
            return refused(problem);
        }
        if self.norm_placement == NormPlacement::Sandwich {
            return refused("norm_placement sandwich: expected pre or post".into());
        }
        if let Some(problem) = self.standardise.and_then(eps_problem) {
            return refused(format!("standardise: {problem}"));
        }
        let mut c_in = self.in_channels;
        for stage in &self.stages {
            if let Some(problem) = self.problem(stage, c_in) {
                return refused(problem);
            }
            c_in = stage.width;
        }
        match self.norm.problem([]) {
            Some(problem) => refused(problem),
            None => Ok(()),
        }
    }

    /// What cannot be in a stage that gets `c_in` channels.
    fn problem(&self, stage: &Stage, c_in: i64) -> Option<String> {
        let kinds = if stage.kinds.is_empty() { &[self.block][..] } else { &stage.kinds };
        let has = |kind| kinds.contains(&kind);
        if let Some(problem) = kinds.iter().find_map(BlockKind::problem) {
            return Some(problem);
        }
        let c_in = match stage.before {
            None => c_in,
            Some(Before::Transition(n)) if (1..MOST).contains(&n) => n,
            Some(_) => return Some("before: its channels must be at least 1".into()),
        };
        let plain = has(BlockKind::Basic) || has(BlockKind::Keyword);
        let grouped = has(BlockKind::Bottleneck) || stage.groups == 1;
        if !grouped || (plain && stage.inner.is_some()) {
            return Some(
                "groups are for bottlenecks, inner for bottlenecks and dense blocks".into(),
            );
        }
        let other = has(BlockKind::Keyword) || has(BlockKind::Dense);
        if other && (self.squeeze.is_some() || self.norm_placement == NormPlacement::Pre) {
            let problem = "squeeze and a norm_placement of pre are for basic and bottleneck blocks";
            return Some(problem.into());
        }
        if has(BlockKind::Bottleneck) && stage.inner.is_none() && stage.width % 4 != 0 {
            return Some("a bottleneck's channels must be a multiple of 4".into());
        }
        if has(BlockKind::Keyword) && self.stages.len() > 1 {
            return Some("a keyword spotter has one stage".into());
        }
        let blocks = i64::try_from(stage.blocks).unwrap_or(MOST);
        let grows = stage.width > c_in && (stage.width - c_in) % blocks == 0;
        if has(BlockKind::Dense) && (kinds.len() > 1 || stage.stride > 1 || !grows) {
            return Some(format!(
                "{blocks} dense blocks must have a stride of 1 and bring {c_in} channels to {} by \
                 equal steps",
                stage.width
            ));
        }
        let block = self.block(stage, c_in, 0, 0);
        if block.inner % block.groups != 0 {
            return Some(format!("{} groups do not divide {} channels", block.groups, block.inner));
        }
        let growth = block.c_out - block.c_in;
        let last = if has(BlockKind::Dense) { [growth, block.inner] } else { [c_in, block.c_out] };
        let between = has(BlockKind::Bottleneck).then_some(block.inner);
        self.norm.problem(last.into_iter().chain(between))
    }
}

/// More channels than any network has: their products stay numbers.
const MOST: i64 = 1 << 31;

//! MobileNet v2 (Sandler et al. 2018) as transformers saves it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::mobile::{Network, named_activation, stage};
use crate::family::defaults;
use crate::family::family::{Built, Class, Family, HeadKind, HuggingFace, activation};
use crate::nn::{
    Activation, BlockKind, ConvNetConfig, EmbedderConfig, HeadConfig, InvertedConfig, InvertedForm,
    MapNormKind, NormConfig, Padding, Pool, Skip, Stage, StemConfig, StemPool, TrunkConfig,
};
use crate::weights::{KeyMap, same};

pub(in crate::family) const MOBILENET_V2: Family = Family {
    name: "mobilenet-v2",
    reads: "MobileNet v2 (transformers)",
    key_map: NAMES,
    matches_config: |config| config.model_type() == Some("mobilenet_v2"),
    from_config: |config, _| {
        let c: MobileNetV2Config = config.parse()?;
        if c.output_stride != 32 {
            let problem = format!("output_stride is {}, expected 32", c.output_stride);
            return Err(config.refuse(problem));
        }
        if !c.first_layer_is_expansion {
            return Err(config.refuse("first_layer_is_expansion is false, expected true".into()));
        }
        let activation = named_activation(config, Activation::Relu6)?;
        let family = c.network(activation).family();
        let mut family = family.map_err(|problem| config.refuse(problem.into()))?;
        family.head.labels = config.labels()?;
        Ok(family)
    },
    from_tensors: |_| Err("its padding and epsilon cannot be told"),
    hugging_face: Some(&HUGGING_FACE),
};

/// The first block belongs to the stem; all are numbered through, and each is a stage.
const NAMES: KeyMap = KeyMap {
    name: "mobilenet-v2",
    prefixes: &["mobilenet_v2.", ""],
    body: &[
        same("embed.conv", "conv_stem.first_conv.convolution"),
        same("embed.norm", "conv_stem.first_conv.normalization"),
        same("trunk.stages.0.0.depthwise.conv", "conv_stem.conv_3x3.convolution"),
        same("trunk.stages.0.0.depthwise.norm", "conv_stem.conv_3x3.normalization"),
        same("trunk.stages.0.0.pointwise.conv", "conv_stem.reduce_1x1.convolution"),
        same("trunk.stages.0.0.pointwise.norm", "conv_stem.reduce_1x1.normalization"),
        same("trunk.stages.{}.0.conv1", "layer.{-1}.expand_1x1.convolution"),
        same("trunk.stages.{}.0.norm1", "layer.{-1}.expand_1x1.normalization"),
        same("trunk.stages.{}.0.conv2", "layer.{-1}.conv_3x3.convolution"),
        same("trunk.stages.{}.0.norm2", "layer.{-1}.conv_3x3.normalization"),
        same("trunk.stages.{}.0.conv3", "layer.{-1}.reduce_1x1.convolution"),
        same("trunk.stages.{}.0.norm3", "layer.{-1}.reduce_1x1.normalization"),
        same("trunk.stages.{}.0.conv", "conv_1x1.convolution"),
        same("trunk.stages.{}.0.norm", "conv_1x1.normalization"),
    ],
    head: &[same("head", "classifier")],
};

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[Class::new("MobileNetV2ForImageClassification", Pool::Mean, HeadKind::Linear)],
    key_map: NAMES,
    in_memory: &[],
    to_config,
};

/// `MobileNetV2Config` of transformers.
#[derive(Clone, Copy, Deserialize)]
struct MobileNetV2Config {
    #[serde(default = "defaults::three")]
    num_channels: i64,
    #[serde(default = "one")]
    depth_multiplier: f64,
    #[serde(default = "eight")]
    depth_divisible_by: i64,
    #[serde(default = "eight")]
    min_depth: i64,
    #[serde(default = "six")]
    expand_ratio: f64,
    #[serde(default = "stride")]
    output_stride: i64,
    #[serde(default = "defaults::yes")]
    first_layer_is_expansion: bool,
    #[serde(default = "defaults::yes")]
    finegrained_output: bool,
    #[serde(default = "defaults::yes")]
    tf_padding: bool,
    #[serde(default = "eps")]
    layer_norm_eps: f64,
}

fn one() -> f64 {
    1.
}

fn six() -> f64 {
    6.
}

fn eight() -> i64 {
    8
}

fn stride() -> i64 {
    32
}

fn eps() -> f64 {
    1e-3
}

/// Channels before the multiplier, and strides, of each block.
const WIDTHS: [i64; 17] = [16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320];
const STRIDES: [i64; 17] = [1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1];
const STEM: i64 = 32;
const HEAD: i64 = 1280;

impl MobileNetV2Config {
    /// To the nearest multiple of the divisor that is not below nine tenths of the value.
    fn divisible(&self, value: f64) -> i64 {
        let divisor = self.depth_divisible_by.max(1);
        let value = value.round_ties_even();
        let near = ((value + divisor as f64 / 2.) as i64) / divisor * divisor;
        let near = near.max(self.min_depth);
        if (near as f64) < 0.9 * value { near.saturating_add(divisor) } else { near }
    }

    fn scaled(&self, channels: i64) -> i64 {
        self.divisible(channels as f64 * self.depth_multiplier)
    }

    fn network(&self, activation: Activation) -> Network {
        let norm =
            NormConfig { kind: MapNormKind::Batch, eps: self.layer_norm_eps, momentum: 0.003 };
        let padding = if self.tf_padding { Padding::Same } else { Padding::Half };
        let block = |form, inner, kernel, skip| InvertedConfig {
            form,
            inner,
            kernel,
            padding,
            activation,
            squeeze: None,
            skip,
        };
        let stem = self.scaled(STEM);
        let mut c_in = stem;
        let stages = WIDTHS.iter().zip(STRIDES).enumerate().map(|(i, (&width, stride))| {
            let (width, expanded) =
                (self.scaled(width), self.divisible(c_in as f64 * self.expand_ratio));
            let of_block = match i {
                0 => block(InvertedForm::Separable, c_in, 3, Skip::Without),
                _ => block(InvertedForm::Inverted, expanded, 3, Skip::Added),
            };
            c_in = width;
            stage(vec![of_block], width, stride)
        });
        let mut stages: Vec<Stage> = stages.collect();
        let fine = self.finegrained_output && self.depth_multiplier < 1.;
        let last = if fine { HEAD } else { self.scaled(HEAD) };
        stages.push(stage(vec![block(InvertedForm::Plain, last, 1, Skip::Without)], last, 1));
        let stem = StemConfig::new((self.num_channels, stem), 3, 2, StemPool::Without);
        let stem = StemConfig { padding, norm, activation, ..stem };
        let head = HeadConfig::default();
        Network { name: NAMES.name, stem, stages, norm, activation, head }
    }
}

/// The fields of `MobileNetV2Config`: those with which it would build the same network.
fn to_config(built: Built<'_>) -> Option<Value> {
    let (TrunkConfig::ConvNet(net), EmbedderConfig::Stem(stem)) = (built.trunk, built.embedder)
    else {
        return None;
    };
    let [.., block, _] = net.stages.as_slice() else { return None };
    let (before, BlockKind::Inverted(inner)) =
        (net.stages.get(WIDTHS.len() - 2)?.width, block.kinds.first()?)
    else {
        return None;
    };
    let of = |divisor, multiplier, fine| MobileNetV2Config {
        num_channels: stem.in_channels,
        depth_multiplier: multiplier,
        depth_divisible_by: divisor,
        min_depth: divisor,
        expand_ratio: (inner.inner as f64 / before as f64).round(),
        output_stride: 32,
        first_layer_is_expansion: true,
        finegrained_output: fine,
        tf_padding: stem.padding == Padding::Same,
        layer_norm_eps: net.norm.eps,
    };
    let same = |config: &MobileNetV2Config| {
        let network = config.network(net.activation);
        let trunk = ConvNetConfig {
            norm: network.norm,
            activation: net.activation,
            ..ConvNetConfig::new(network.stem.out_channels, network.stages, net.block)
        };
        trunk == *net && network.stem == *stem
    };
    // The published multipliers, and what the last block has.
    let told = block.width as f64 / WIDTHS[16] as f64;
    let multipliers = [1., 1.4, 1.3, 0.75, 0.5, 0.35, told];
    let mut configs = [8, 4, 2, 1].into_iter().flat_map(|divisor| {
        multipliers.into_iter().flat_map(move |m| [true, false].map(|fine| (divisor, m, fine)))
    });
    let c = configs.find_map(|(d, m, fine)| Some(of(d, m, fine)).filter(same))?;
    Some(json!({
        "model_type": "mobilenet_v2", "num_channels": c.num_channels,
        "depth_multiplier": c.depth_multiplier, "depth_divisible_by": c.depth_divisible_by,
        "min_depth": c.min_depth, "expand_ratio": c.expand_ratio,
        "output_stride": c.output_stride, "first_layer_is_expansion": true,
        "finegrained_output": c.finegrained_output, "tf_padding": c.tf_padding,
        "hidden_act": activation(net.activation), "layer_norm_eps": c.layer_norm_eps,
    }))
}

//! ConvNeXt (Liu et al. 2022) and its second version (Woo et al. 2023) as transformers saves them.

use serde::Deserialize;
use serde_json::{Value, json};

use super::mobile::named_activation;
use crate::error::Result;
use crate::family::config::Config;
use crate::family::defaults;
use crate::family::family::{
    Built, Class, Family, HeadKind, HuggingFace, PretrainedConfig, PretrainedHead, activation,
};
use crate::nn::{
    Activation, BlockKind, ConvNetConfig, ConvNextConfig, EmbedderConfig, HeadConfig, LayerScale,
    MapNormKind, NormConfig, Padding, Pool, ResponseNorm, Stage, StemConfig, StemPool, TrunkConfig,
};
use crate::weights::{KeyMap, KeyRule, TensorTransform, same, transformed};

pub(in crate::family) const CONVNEXT: Family = Family {
    name: "convnext",
    reads: "ConvNeXt (transformers)",
    key_map: NAMES,
    matches_config: |config| config.model_type() == Some("convnext"),
    from_config: |config, _| read(config, "convnext", ResponseNorm::Without),
    from_tensors: |_| Err("the epsilon of its last norm cannot be told"),
    hugging_face: Some(&HUGGING_FACE),
};

pub(in crate::family) const CONVNEXT_V2: Family = Family {
    name: "convnextv2",
    reads: "ConvNeXt v2 (transformers)",
    key_map: NAMES_V2,
    matches_config: |config| config.model_type() == Some("convnextv2"),
    from_config: |config, _| read(config, "convnextv2", ResponseNorm::Learned),
    from_tensors: |_| Err("the epsilon of its last norm cannot be told"),
    hugging_face: Some(&HUGGING_FACE_V2),
};

const NAMES: KeyMap = KeyMap {
    name: "convnext",
    prefixes: &["convnext.", ""],
    body: BODY,
    head: &[
        same("head.norm", "convnext.layernorm"),
        same("head.norm", "layernorm"),
        same("head", "classifier"),
    ],
};

const NAMES_V2: KeyMap = KeyMap {
    name: "convnextv2",
    prefixes: &["convnextv2.", ""],
    body: BODY,
    head: &[
        same("head.norm", "convnextv2.layernorm"),
        same("head.norm", "layernorm"),
        same("head", "classifier"),
    ],
};

/// The names of both. The norms of responses keep three dimensions of size 1.
const BODY: &[KeyRule] = &[
    same("trunk.stages.{}.{}.depthwise", "encoder.stages.{}.layers.{}.dwconv"),
    same("trunk.stages.{}.{}.norm", "encoder.stages.{}.layers.{}.layernorm"),
    same("trunk.stages.{}.{}.mlp.up", "encoder.stages.{}.layers.{}.pwconv1"),
    same("trunk.stages.{}.{}.mlp.down", "encoder.stages.{}.layers.{}.pwconv2"),
    same("trunk.stages.{}.{}.scale", "encoder.stages.{}.layers.{}.layer_scale_parameter"),
    transformed(
        "trunk.stages.{}.{}.grn",
        "encoder.stages.{}.layers.{}.grn",
        TensorTransform::Units { before: 3, behind: 0 },
    ),
    same("trunk.stages.{}.0.downsample.norm", "encoder.stages.{}.downsampling_layer.0"),
    same("trunk.stages.{}.0.downsample.conv", "encoder.stages.{}.downsampling_layer.1"),
    same("embed.conv", "embeddings.patch_embeddings"),
    same("embed.norm", "embeddings.layernorm"),
];

pub(super) const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[Class::new("ConvNextForImageClassification", Pool::Mean, HeadKind::Normed)],
    key_map: NAMES,
    in_memory: &[],
    to_config: |built| to_config(built, "convnext", ResponseNorm::Without),
};

pub(super) const HUGGING_FACE_V2: HuggingFace = HuggingFace {
    classes: &[Class::new("ConvNextV2ForImageClassification", Pool::Mean, HeadKind::Normed)],
    key_map: NAMES_V2,
    in_memory: &[],
    to_config: |built| to_config(built, "convnextv2", ResponseNorm::Learned),
};

/// The side of the depthwise kernels, and how many times as wide as a block its MLP is.
pub(super) const KERNEL: i64 = 7;
pub(super) const WIDER: i64 = 4;

/// The norms ahead of the head.
pub(super) const NORM: NormConfig =
    NormConfig { kind: MapNormKind::Channels, eps: 1e-6, momentum: 0.1 };

/// `ConvNextConfig` and `ConvNextV2Config` of transformers.
#[derive(Deserialize)]
struct ConvNextHfConfig {
    #[serde(default = "defaults::three")]
    num_channels: i64,
    #[serde(default = "four")]
    patch_size: i64,
    #[serde(default = "hidden_sizes")]
    hidden_sizes: Vec<i64>,
    #[serde(default = "depths")]
    depths: Vec<usize>,
    #[serde(default = "defaults::tiny_eps")]
    layer_norm_eps: f64,
    #[serde(default = "scaled")]
    layer_scale_init_value: f64,
    #[serde(default)]
    drop_path_rate: f64,
}

fn four() -> i64 {
    4
}

fn hidden_sizes() -> Vec<i64> {
    vec![96, 192, 384, 768]
}

fn depths() -> Vec<usize> {
    vec![3, 3, 9, 3]
}

fn scaled() -> f64 {
    1e-6
}

fn read(config: &Config, name: &str, response_norm: ResponseNorm) -> Result<PretrainedConfig> {
    let c: ConvNextHfConfig = config.parse()?;
    if c.depths.len() != c.hidden_sizes.len() {
        let problem = format!(
            "depths has {} stages, hidden_sizes {}: must be as many",
            c.depths.len(),
            c.hidden_sizes.len()
        );
        return Err(config.refuse(problem));
    }
    let scaled = response_norm == ResponseNorm::Without && c.layer_scale_init_value > 0.;
    let shape = Shape {
        stem: (c.num_channels, c.patch_size),
        stages: c.depths.into_iter().zip(c.hidden_sizes).collect(),
        kernel: KERNEL,
        activation: named_activation(config, Activation::Gelu)?,
        response_norm,
        layer_scale: if scaled { LayerScale::Learned } else { LayerScale::Without },
        norm: NORM,
        drop_path: c.drop_path_rate,
        head: HeadConfig { norm: Some(c.layer_norm_eps), ..HeadConfig::default() },
    };
    let mut family = shape.family(name);
    family.head.labels = config.labels()?;
    Ok(family)
}

/// What tells ConvNeXts apart, whoever saved them.
pub(super) struct Shape {
    /// Channels of the input, and the side of the patches that the stem cuts.
    pub(super) stem: (i64, i64),
    /// Depths and widths.
    pub(super) stages: Vec<(usize, i64)>,
    pub(super) kernel: i64,
    pub(super) activation: Activation,
    pub(super) response_norm: ResponseNorm,
    pub(super) layer_scale: LayerScale,
    pub(super) norm: NormConfig,
    pub(super) drop_path: f64,
    pub(super) head: HeadConfig,
}

impl Shape {
    pub(super) fn family(self, name: &str) -> PretrainedConfig {
        let block = |width: i64| {
            BlockKind::ConvNext(ConvNextConfig {
                mlp: WIDER.saturating_mul(width),
                kernel: self.kernel,
                activation: self.activation,
                response_norm: self.response_norm,
                layer_scale: self.layer_scale,
            })
        };
        let first = self.stages.first().map_or(1, |(_, width)| *width);
        let stages = self.stages.iter().enumerate().map(|(i, &(blocks, width))| Stage {
            kinds: vec![block(width)],
            ..Stage::new(blocks, width, if i == 0 { 1 } else { 2 })
        });
        let (in_channels, patch) = self.stem;
        let stem = StemConfig::new((in_channels, first), patch, patch, StemPool::Without);
        PretrainedConfig {
            name: name.into(),
            modality: "image".into(),
            trunk: TrunkConfig::ConvNet(ConvNetConfig {
                norm: self.norm,
                activation: self.activation,
                drop_path: self.drop_path,
                ..ConvNetConfig::new(first, stages.collect(), block(first))
            }),
            embedder: EmbedderConfig::Stem(StemConfig {
                padding: Padding::Without,
                bias: true,
                norm: self.norm,
                activation: Activation::Identity,
                ..stem
            }),
            head: PretrainedHead { pool: Pool::Mean, config: self.head, labels: None },
        }
    }
}

/// The fields of `ConvNextConfig` or `ConvNextV2Config`.
fn to_config(built: Built<'_>, model_type: &str, response_norm: ResponseNorm) -> Option<Value> {
    let (TrunkConfig::ConvNet(net), EmbedderConfig::Stem(stem)) = (built.trunk, built.embedder)
    else {
        return None;
    };
    let BlockKind::ConvNext(block) = net.stages.first()?.kinds.first()? else { return None };
    let shape = Shape {
        stem: (stem.in_channels, stem.kernel),
        stages: net.stages.iter().map(|stage| (stage.blocks, stage.width)).collect(),
        kernel: KERNEL,
        activation: block.activation,
        response_norm,
        layer_scale: block.layer_scale,
        norm: NORM,
        drop_path: net.drop_path,
        head: *built.head,
    };
    // What is not among the fields is as published.
    let same = shape.family(model_type);
    let scaled = block.layer_scale == LayerScale::Learned;
    if (&same.trunk, &same.embedder) != (built.trunk, built.embedder)
        || (scaled && response_norm == ResponseNorm::Learned)
    {
        return None;
    }
    let depths: Vec<usize> = net.stages.iter().map(|stage| stage.blocks).collect();
    let sizes: Vec<i64> = net.stages.iter().map(|stage| stage.width).collect();
    Some(json!({
        "model_type": model_type, "num_channels": stem.in_channels, "patch_size": stem.kernel,
        "num_stages": depths.len(), "hidden_sizes": sizes, "depths": depths,
        "hidden_act": activation(block.activation),
        "layer_norm_eps": built.head.norm?, "drop_path_rate": net.drop_path,
        "layer_scale_init_value": if scaled { 1e-6 } else { 0. },
    }))
}

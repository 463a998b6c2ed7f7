//! RegNets X and Y (Radosavovic et al. 2020): transformers', timm's and torchvision's.

use serde::Deserialize;
use serde_json::{Value, json};

use super::convnet::{Tensors, UNUSUAL, pretrained};
use crate::error::Result;
use crate::family::config::Config;
use crate::family::defaults;
use crate::family::family::{Built, Class, Family, HeadKind, HuggingFace, PretrainedConfig};
use crate::nn::{
    BlockKind, ConvNetConfig, EmbedderConfig, Pool, Squeeze, Stage, StemConfig, StemPool,
    TrunkConfig,
};
use crate::weights::{Checkpoint, KeyMap, KeyRule, same};

pub(in crate::family) const REGNET_Y: Family = Family {
    name: "regnet-y",
    reads: "RegNet Y (transformers)",
    key_map: Y_NAMES,
    matches_config: |config| {
        config.model_type() == Some("regnet") && config.field("layer_type") != "x"
    },
    from_config: |config, _| read(config, "regnet-y"),
    from_tensors: |_| Err("the strides of its stages cannot be told"),
    hugging_face: Some(&HuggingFace {
        classes: &[CLASS],
        key_map: Y_NAMES,
        in_memory: &[],
        to_config: |built| to_config(built, Some(Squeeze::Inputs)),
    }),
};

/// Without attention to channels, a block's layers are numbered otherwise.
pub(in crate::family) const REGNET_X: Family = Family {
    name: "regnet-x",
    reads: "RegNet X (transformers)",
    key_map: X_NAMES,
    matches_config: |config| config.model_type() == Some("regnet"),
    from_config: |config, _| read(config, "regnet-x"),
    from_tensors: |_| Err("the strides of its stages cannot be told"),
    hugging_face: Some(&HuggingFace {
        classes: &[CLASS],
        key_map: X_NAMES,
        in_memory: &[],
        to_config: |built| to_config(built, None),
    }),
};

const CLASS: Class = Class::new("RegNetForImageClassification", Pool::Mean, HeadKind::Linear);

const Y_NAMES: KeyMap = KeyMap {
    name: "regnet-y",
    prefixes: &["regnet.", ""],
    body: &[
        same("trunk.stages.{}.{}.gate.down", "encoder.stages.{}.layers.{}.layer.2.attention.0"),
        same("trunk.stages.{}.{}.gate.up", "encoder.stages.{}.layers.{}.layer.2.attention.2"),
        same("trunk.stages.{}.{}.conv1", "encoder.stages.{}.layers.{}.layer.0.convolution"),
        same("trunk.stages.{}.{}.conv2", "encoder.stages.{}.layers.{}.layer.1.convolution"),
        same("trunk.stages.{}.{}.conv3", "encoder.stages.{}.layers.{}.layer.3.convolution"),
        same("trunk.stages.{}.{}.norm1", "encoder.stages.{}.layers.{}.layer.0.normalization"),
        same("trunk.stages.{}.{}.norm2", "encoder.stages.{}.layers.{}.layer.1.normalization"),
        same("trunk.stages.{}.{}.norm3", "encoder.stages.{}.layers.{}.layer.3.normalization"),
        SHORTCUTS[0],
        SHORTCUTS[1],
        same("embed.conv", "embedder.embedder.convolution"),
        same("embed.norm", "embedder.embedder.normalization"),
    ],
    head: &[same("head", "classifier.1")],
};

const X_NAMES: KeyMap = KeyMap {
    name: "regnet-x",
    body: &[
        same("trunk.stages.{}.{}.conv1", "encoder.stages.{}.layers.{}.layer.0.convolution"),
        same("trunk.stages.{}.{}.conv2", "encoder.stages.{}.layers.{}.layer.1.convolution"),
        same("trunk.stages.{}.{}.conv3", "encoder.stages.{}.layers.{}.layer.2.convolution"),
        same("trunk.stages.{}.{}.norm1", "encoder.stages.{}.layers.{}.layer.0.normalization"),
        same("trunk.stages.{}.{}.norm2", "encoder.stages.{}.layers.{}.layer.1.normalization"),
        same("trunk.stages.{}.{}.norm3", "encoder.stages.{}.layers.{}.layer.2.normalization"),
        SHORTCUTS[0],
        SHORTCUTS[1],
        same("embed.conv", "embedder.embedder.convolution"),
        same("embed.norm", "embedder.embedder.normalization"),
    ],
    ..Y_NAMES
};

const SHORTCUTS: [KeyRule; 2] = [
    same("trunk.stages.{}.{}.shortcut.conv", "encoder.stages.{}.layers.{}.shortcut.convolution"),
    same("trunk.stages.{}.{}.shortcut.norm", "encoder.stages.{}.layers.{}.shortcut.normalization"),
];

/// `RegNetConfig` of transformers.
#[derive(Deserialize)]
struct RegNetConfig {
    #[serde(default = "defaults::three")]
    num_channels: i64,
    embedding_size: i64,
    hidden_sizes: Vec<i64>,
    depths: Vec<usize>,
    groups_width: i64,
    #[serde(default)]
    layer_type: Option<String>,
    #[serde(default)]
    hidden_act: Option<String>,
    #[serde(default = "defaults::yes")]
    downsample_in_first_stage: bool,
}

fn read(config: &Config, name: &str) -> Result<PretrainedConfig> {
    let c: RegNetConfig = config.parse()?;
    let squeeze = match c.layer_type.as_deref().unwrap_or("y") {
        "y" => Some(Squeeze::Inputs),
        "x" => None,
        other => return Err(config.refuse(format!("layer_type is {other:?}, expected x or y"))),
    };
    if let Some(other) = c.hidden_act.filter(|act| act != "relu") {
        return Err(config.refuse(format!("hidden_act is {other:?}, expected relu")));
    }
    if c.depths.len() != c.hidden_sizes.len() || c.groups_width < 1 {
        let problem = "expected as many depths as hidden_sizes, and a groups_width of at least 1";
        return Err(config.refuse(problem.into()));
    }
    let stages = c.depths.iter().zip(&c.hidden_sizes).enumerate();
    let stages = stages.map(|(i, (&blocks, &width))| {
        let stride = if i == 0 && !c.downsample_in_first_stage { 1 } else { 2 };
        let groups = (width / c.groups_width).max(1);
        Stage { inner: Some(width), groups, ..Stage::new(blocks, width, stride) }
    });
    let trunk = ConvNetConfig::new(c.embedding_size, stages.collect(), BlockKind::Bottleneck);
    let stem = StemConfig::new((c.num_channels, c.embedding_size), 3, 2, StemPool::Without);
    let mut family = pretrained(name, ConvNetConfig { squeeze, ..trunk }, stem);
    family.head.labels = config.labels()?;
    Ok(family)
}

/// The fields of `RegNetConfig`.
fn to_config(built: Built<'_>, squeeze: Option<Squeeze>) -> Option<Value> {
    let (TrunkConfig::ConvNet(r), EmbedderConfig::Stem(stem)) = (built.trunk, built.embedder)
    else {
        return None;
    };
    let last = r.stages.last()?;
    let groups_width = last.width / last.groups;
    // What is not named here is as `new` has it.
    let stages = r.stages.iter().enumerate().map(|(i, s)| Stage {
        inner: Some(s.width),
        groups: (s.width / groups_width).max(1),
        ..Stage::new(s.blocks, s.width, if i == 0 { s.stride } else { 2 })
    });
    let usual = ConvNetConfig::new(r.in_channels, stages.collect(), BlockKind::Bottleneck);
    let usual_stem =
        StemConfig::new((stem.in_channels, stem.out_channels), 3, 2, StemPool::Without);
    let first = r.stages.first()?.stride;
    if *r != (ConvNetConfig { squeeze, ..usual }) || *stem != usual_stem || first > 2 {
        return None;
    }
    let sizes: Vec<i64> = r.stages.iter().map(|stage| stage.width).collect();
    let depths: Vec<usize> = r.stages.iter().map(|stage| stage.blocks).collect();
    Some(json!({
        "model_type": "regnet", "embedding_size": r.in_channels, "hidden_sizes": sizes,
        "depths": depths, "groups_width": groups_width, "hidden_act": "relu",
        "layer_type": if squeeze.is_some() { "y" } else { "x" },
        "num_channels": stem.in_channels, "downsample_in_first_stage": first == 2,
    }))
}

pub(in crate::family) const TIMM_REGNET: Family = Family {
    name: "timm-regnet",
    reads: "RegNet X and Y (timm)",
    key_map: TIMM_NAMES,
    // `regnetv`, `regnetz` and the one with group norms are other networks.
    matches_config: |config| {
        let name = config.architecture().unwrap_or_default();
        let kinds = ["regnetx_", "regnety_"];
        kinds.iter().any(|kind| name.starts_with(kind)) && !name.ends_with("_sgn")
    },
    from_config: |config, checkpoint| {
        config.check_timm()?;
        let told = told("timm-regnet", checkpoint, TIMM_NAMES);
        let mut family = told.map_err(|e| config.refuse(e.into()))?;
        family.head.labels = config.labels()?;
        Ok(family)
    },
    from_tensors: |checkpoint| told("timm-regnet", checkpoint, TIMM_NAMES),
    hugging_face: None,
};

const TIMM_NAMES: KeyMap = KeyMap {
    name: "timm-regnet",
    prefixes: &[""],
    body: &[
        same("trunk.stages.{}.{}.conv1", "s{+1}.b{+1}.conv1.conv"),
        same("trunk.stages.{}.{}.conv2", "s{+1}.b{+1}.conv2.conv"),
        same("trunk.stages.{}.{}.conv3", "s{+1}.b{+1}.conv3.conv"),
        same("trunk.stages.{}.{}.norm1", "s{+1}.b{+1}.conv1.bn"),
        same("trunk.stages.{}.{}.norm2", "s{+1}.b{+1}.conv2.bn"),
        same("trunk.stages.{}.{}.norm3", "s{+1}.b{+1}.conv3.bn"),
        same("trunk.stages.{}.{}.gate.down", "s{+1}.b{+1}.se.fc1"),
        same("trunk.stages.{}.{}.gate.up", "s{+1}.b{+1}.se.fc2"),
        same("trunk.stages.{}.{}.shortcut.conv", "s{+1}.b{+1}.downsample.conv"),
        same("trunk.stages.{}.{}.shortcut.norm", "s{+1}.b{+1}.downsample.bn"),
        same("embed.conv", "stem.conv"),
        same("embed.norm", "stem.bn"),
    ],
    head: &[same("head", "head.fc")],
};

pub(in crate::family) const TORCHVISION_REGNET: Family = Family {
    name: "torchvision-regnet",
    reads: "RegNet X and Y (torchvision)",
    key_map: TORCHVISION_NAMES,
    matches_config: |_| false,
    from_config: |_, checkpoint| TORCHVISION_REGNET.infer(checkpoint, None),
    from_tensors: |checkpoint| told("torchvision-regnet", checkpoint, TORCHVISION_NAMES),
    hugging_face: None,
};

const TORCHVISION_NAMES: KeyMap = KeyMap {
    name: "torchvision-regnet",
    prefixes: &[""],
    body: &[
        same("trunk.stages.{}.{}.conv1", "trunk_output.block{+1}.block{=+1}-{}.f.a.0"),
        same("trunk.stages.{}.{}.conv2", "trunk_output.block{+1}.block{=+1}-{}.f.b.0"),
        same("trunk.stages.{}.{}.conv3", "trunk_output.block{+1}.block{=+1}-{}.f.c.0"),
        same("trunk.stages.{}.{}.norm1", "trunk_output.block{+1}.block{=+1}-{}.f.a.1"),
        same("trunk.stages.{}.{}.norm2", "trunk_output.block{+1}.block{=+1}-{}.f.b.1"),
        same("trunk.stages.{}.{}.norm3", "trunk_output.block{+1}.block{=+1}-{}.f.c.1"),
        same("trunk.stages.{}.{}.gate.down", "trunk_output.block{+1}.block{=+1}-{}.f.se.fc1"),
        same("trunk.stages.{}.{}.gate.up", "trunk_output.block{+1}.block{=+1}-{}.f.se.fc2"),
        same("trunk.stages.{}.{}.shortcut.conv", "trunk_output.block{+1}.block{=+1}-{}.proj.0"),
        same("trunk.stages.{}.{}.shortcut.norm", "trunk_output.block{+1}.block{=+1}-{}.proj.1"),
        same("embed.conv", "stem.0"),
        same("embed.norm", "stem.1"),
    ],
    head: &[same("head", "fc")],
};

/// The network as its tensors have it: every stage halves the feature map's sides.
fn told(
    name: &str,
    checkpoint: &Checkpoint,
    key_map: KeyMap,
) -> Result<PretrainedConfig, &'static str> {
    let tensors = Tensors::of(checkpoint, key_map)?;
    let trunk = tensors.residual(&[2]).filter(|t| t.block == BlockKind::Bottleneck);
    let trunk = trunk.ok_or(UNUSUAL)?;
    let stem = tensors.stem(2, StemPool::Without).filter(|stem| stem.kernel == 3);
    let squeeze = trunk.squeeze.map(|_| Squeeze::Inputs);
    Ok(pretrained(name, ConvNetConfig { squeeze, ..trunk }, stem.ok_or(UNUSUAL)?))
}

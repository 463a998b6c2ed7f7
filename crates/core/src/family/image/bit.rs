//! Pre-activation ResNets (He et al. 2016, "Identity Mappings"): Big Transfer (Kolesnikov et al.
//! 2020) as transformers has it, and timm's `resnetv2`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::convnet::{Tensors, UNUSUAL, pretrained};
use crate::error::Result;
use crate::family::config::Config;
use crate::family::defaults;
use crate::family::family::{Built, Class, Family, HeadKind, HuggingFace, PretrainedConfig};
use crate::nn::{
    BlockKind, ConvNetConfig, EmbedderConfig, End, MapNormKind, NormConfig, NormPlacement, Padding,
    Pool, Shortcut, Stage, StemConfig, StemPool, TrunkConfig,
};
use crate::weights::{Checkpoint, KeyMap, TensorTransform, same, transformed};

/// The epsilon of Big Transfer's standardised filters.
const BIT_EPS: f64 = 1e-8;

pub(in crate::family) const BIT: Family = Family {
    name: "bit",
    reads: "Big Transfer (transformers)",
    key_map: NAMES,
    matches_config: |config| config.model_type() == Some("bit"),
    from_config: |config, _| read(config),
    from_tensors: |_| Err("its padding cannot be told"),
    hugging_face: Some(&HUGGING_FACE),
};

const NAMES: KeyMap = KeyMap {
    name: "bit",
    prefixes: &["bit.", ""],
    body: &[
        same("trunk.stages.{}.{}.conv1", "encoder.stages.{}.layers.{}.conv1"),
        same("trunk.stages.{}.{}.conv2", "encoder.stages.{}.layers.{}.conv2"),
        same("trunk.stages.{}.{}.conv3", "encoder.stages.{}.layers.{}.conv3"),
        same("trunk.stages.{}.{}.norm1", "encoder.stages.{}.layers.{}.norm1"),
        same("trunk.stages.{}.{}.norm2", "encoder.stages.{}.layers.{}.norm2"),
        same("trunk.stages.{}.{}.norm3", "encoder.stages.{}.layers.{}.norm3"),
        same("trunk.stages.{}.{}.shortcut.conv", "encoder.stages.{}.layers.{}.downsample.conv"),
        same("trunk.end.norm", "norm"),
        same("embed.conv", "embedder.convolution"),
    ],
    head: &[same("head", "classifier.1")],
};

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[Class::new("BitForImageClassification", Pool::Mean, HeadKind::Linear)],
    key_map: NAMES,
    in_memory: &[],
    to_config,
};

/// `BitConfig` of transformers.
#[derive(Deserialize)]
struct BitConfig {
    #[serde(default = "defaults::three")]
    num_channels: i64,
    embedding_size: i64,
    hidden_sizes: Vec<i64>,
    depths: Vec<usize>,
    #[serde(default)]
    layer_type: Option<String>,
    #[serde(default)]
    hidden_act: Option<String>,
    #[serde(default)]
    global_padding: Option<String>,
    #[serde(default = "groups")]
    num_groups: i64,
    #[serde(default)]
    embedding_dynamic_padding: bool,
    #[serde(default)]
    output_stride: Option<i64>,
    #[serde(default)]
    width_factor: Option<i64>,
}

fn groups() -> i64 {
    32
}

/// Channels between a bottleneck's convolutions: a quarter, as a multiple of 8.
fn inner(width: i64) -> i64 {
    let quarter = width.max(0) as f64 * 0.25;
    let near = (((quarter + 4.) as i64) / 8 * 8).max(8);
    if (near as f64) < 0.9 * quarter { near + 8 } else { near }
}

fn read(config: &Config) -> Result<PretrainedConfig> {
    let c: BitConfig = config.parse()?;
    let (padding, pool) = match (c.global_padding.as_deref(), c.embedding_dynamic_padding) {
        (None, false) => (Padding::Half, StemPool::MaxOverZeros),
        (Some("SAME" | "same"), true) => (Padding::Same, StemPool::MaxSame),
        (other, dynamic) => {
            let problem = format!(
                "a global_padding of {} with an embedding_dynamic_padding of {dynamic} is not \
                 supported",
                other.unwrap_or("null")
            );
            return Err(config.refuse(problem));
        }
    };
    let known = [
        ("layer_type", c.layer_type.as_deref(), "preactivation"),
        ("hidden_act", c.hidden_act.as_deref(), "relu"),
    ];
    for (field, value, expected) in known {
        if let Some(other) = value.filter(|value| *value != expected) {
            return Err(config.refuse(format!("{field} is {other:?}, expected {expected}")));
        }
    }
    for (field, value, expected) in
        [("output_stride", c.output_stride, 32), ("width_factor", c.width_factor, 1)]
    {
        if let Some(other) = value.filter(|value| *value != expected) {
            return Err(config.refuse(format!("{field} is {other}, expected {expected}")));
        }
    }
    let widths = &c.hidden_sizes;
    if c.depths.len() != widths.len()
        || widths.len() > 4
        || widths.first() == Some(&c.embedding_size)
    {
        let problem = "expected as many depths as hidden_sizes, at most 4, the first of which is not \
                       the embedding_size";
        return Err(config.refuse(problem.into()));
    }
    let norm = NormConfig::of(MapNormKind::Group(c.num_groups));
    let trunk =
        ConvNetConfig { padding, ..preactivated(c.embedding_size, &c.depths, widths, norm) };
    let stem = StemConfig {
        padding,
        norm,
        norm_placement: NormPlacement::Pre,
        standardise: Some(BIT_EPS),
        ..StemConfig::new((c.num_channels, c.embedding_size), 7, 2, pool)
    };
    let mut family = pretrained("bit", trunk, stem);
    family.head.labels = config.labels()?;
    Ok(family)
}

/// Big Transfer's trunk.
fn preactivated(
    in_channels: i64,
    depths: &[usize],
    widths: &[i64],
    norm: NormConfig,
) -> ConvNetConfig {
    let stages = depths.iter().zip(widths).enumerate().map(|(i, (&blocks, &width))| Stage {
        inner: (inner(width).saturating_mul(4) != width).then_some(inner(width)),
        ..Stage::new(blocks, width, if i == 0 { 1 } else { 2 })
    });
    ConvNetConfig {
        norm,
        norm_placement: NormPlacement::Pre,
        standardise: Some(BIT_EPS),
        end: End::Norm,
        ..ConvNetConfig::new(in_channels, stages.collect(), BlockKind::Bottleneck)
    }
}

/// The fields of `BitConfig`.
fn to_config(built: Built<'_>) -> Option<Value> {
    let (TrunkConfig::ConvNet(r), EmbedderConfig::Stem(stem)) = (built.trunk, built.embedder)
    else {
        return None;
    };
    let MapNormKind::Group(groups) = r.norm.kind else { return None };
    let sizes: Vec<i64> = r.stages.iter().map(|stage| stage.width).collect();
    let depths: Vec<usize> = r.stages.iter().map(|stage| stage.blocks).collect();
    let (padding, same) = (r.padding, r.padding == Padding::Same);
    let pool = if same { StemPool::MaxSame } else { StemPool::MaxOverZeros };
    let usual = preactivated(r.in_channels, &depths, &sizes, NormConfig::of(r.norm.kind));
    let usual_stem = StemConfig {
        padding,
        norm: usual.norm,
        norm_placement: NormPlacement::Pre,
        standardise: Some(BIT_EPS),
        ..StemConfig::new((stem.in_channels, stem.out_channels), 7, 2, pool)
    };
    if *r != (ConvNetConfig { padding, ..usual }) || *stem != usual_stem || sizes.len() > 4 {
        return None;
    }
    Some(json!({
        "model_type": "bit", "embedding_size": r.in_channels, "hidden_sizes": sizes,
        "depths": depths, "layer_type": "preactivation", "hidden_act": "relu",
        "num_channels": stem.in_channels, "num_groups": groups, "output_stride": 32,
        "global_padding": same.then_some("SAME"), "embedding_dynamic_padding": same,
        "width_factor": 1,
    }))
}

pub(in crate::family) const RESNETV2: Family = Family {
    name: "resnetv2",
    reads: "ResNet v2 and Big Transfer (timm)",
    key_map: TIMM_NAMES,
    // Those with other norms are other networks.
    matches_config: |config| {
        let depth = config.architecture().and_then(|name| name.strip_prefix("resnetv2_"));
        depth.is_some_and(|depth| !depth.ends_with("_evos") && !depth.ends_with("_frn"))
    },
    from_config: |config, checkpoint| {
        config.check_timm()?;
        let name = config.architecture().unwrap_or_default();
        let told = resnetv2(checkpoint, name.ends_with("_bit") || name.contains("_bitm"));
        let mut family = told.map_err(|e| config.refuse(e.into()))?;
        family.head.labels = config.labels()?;
        Ok(family)
    },
    from_tensors: |checkpoint| {
        let tensors = Tensors::of(checkpoint, TIMM_NAMES)?;
        match tensors.norm("trunk.end.norm").kind {
            MapNormKind::Batch => resnetv2(checkpoint, false),
            _ => Err("whether its filters are standardised cannot be told"),
        }
    },
    hugging_face: Some(&HUGGING_FACE),
};

const TIMM_NAMES: KeyMap = KeyMap {
    name: "resnetv2",
    prefixes: &[""],
    body: &[
        same("trunk.stages.{}.{}.conv1", "stages.{}.blocks.{}.conv1"),
        same("trunk.stages.{}.{}.conv2", "stages.{}.blocks.{}.conv2"),
        same("trunk.stages.{}.{}.conv3", "stages.{}.blocks.{}.conv3"),
        same("trunk.stages.{}.{}.norm1", "stages.{}.blocks.{}.norm1"),
        same("trunk.stages.{}.{}.norm2", "stages.{}.blocks.{}.norm2"),
        same("trunk.stages.{}.{}.norm3", "stages.{}.blocks.{}.norm3"),
        same("trunk.stages.{}.{}.shortcut.conv", "stages.{}.blocks.{}.downsample.conv"),
        same("trunk.end.norm", "norm"),
        same("embed.before.0.conv", "stem.conv1"),
        same("embed.before.0.norm", "stem.norm1"),
        same("embed.before.1.conv", "stem.conv2"),
        same("embed.before.1.norm", "stem.norm2"),
        same("embed.conv", "stem.conv3"),
        same("embed.conv", "stem.conv"),
    ],
    head: &[transformed("head", "head.fc", TensorTransform::Pointwise)],
};

/// The network as its tensors have it; `bit`: as Big Transfer has it. Deep stems come with pooled
/// shortcuts.
fn resnetv2(checkpoint: &Checkpoint, bit: bool) -> Result<PretrainedConfig, &'static str> {
    let tensors = Tensors::of(checkpoint, TIMM_NAMES)?;
    let trunk = tensors.residual(&[1, 2]).ok_or(UNUSUAL)?;
    let pool = if bit { StemPool::MaxOverZeros } else { StemPool::Max };
    let stem = tensors.stem(2, pool).ok_or(UNUSUAL)?;
    let shortcut = match (stem.kernel, stem.before) {
        (7, None) => Shortcut::Projected,
        (3, Some(_)) => Shortcut::Pooled,
        _ => return Err(UNUSUAL),
    };
    // A post-norm hybrid has no norm at its end.
    if !tensors.has("trunk.end.norm.weight") {
        return Err(UNUSUAL);
    }
    let norm = tensors.norm("trunk.end.norm");
    let (norm_placement, standardise) = (NormPlacement::Pre, bit.then_some(BIT_EPS));
    let trunk =
        ConvNetConfig { shortcut, norm, norm_placement, standardise, end: End::Norm, ..trunk };
    let stem = StemConfig { norm, norm_placement, standardise, ..stem };
    Ok(pretrained("resnetv2", trunk, stem))
}

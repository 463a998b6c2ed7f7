//! Residual networks (He et al. 2016): torchvision's and timm's, which share their names, with
//! groups, other widths, deep stems and attention to channels; the small ones for CIFAR; fastai's
//! bodies; and transformers'.

use serde::Deserialize;
use serde_json::{Value, json};

use super::convnet::{Tensors, UNUSUAL, pretrained};
use crate::error::Result;
use crate::family::defaults;
use crate::family::family::{Built, Class, Family, HeadKind, HuggingFace, PretrainedConfig};
use crate::nn::{
    BlockKind, ConvNetConfig, EmbedderConfig, Pool, Stage, StemConfig, StemPool, TrunkConfig,
};
use crate::weights::{Checkpoint, KeyMap, same};

pub(in crate::family) const RESNET: Family = Family {
    name: "resnet",
    reads: "ResNet, ResNeXt, Wide, SE, ECA (torchvision, timm, CIFAR's)",
    key_map: DIALECT,
    // `resnet50` and `seresnext26d_32x4d`; but `resnetv2_50`, `resnetblur50` and the like are other
    // networks.
    matches_config: |config| {
        let Some(name) = config.architecture() else { return false };
        let sources = ["tv_", "gluon_", "ssl_", "swsl_", "ig_"];
        let name = sources.iter().find_map(|source| name.strip_prefix(source)).unwrap_or(name);
        KINDS.iter().any(|kind| {
            let depth = name.strip_prefix(kind);
            depth.is_some_and(|depth| depth.starts_with(|c: char| c.is_ascii_digit()))
        })
    },
    from_config: |config, checkpoint| {
        config.check_timm()?;
        let mut family = resnet(checkpoint).map_err(|e| config.refuse(e.into()))?;
        family.head.labels = config.labels()?;
        Ok(family)
    },
    from_tensors: resnet,
    hugging_face: Some(&HUGGING_FACE),
};

const KINDS: [&str; 7] =
    ["resnet", "resnext", "wide_resnet", "seresnet", "seresnext", "ecaresnet", "ecaresnext"];

const DIALECT: KeyMap = KeyMap {
    name: "resnet",
    prefixes: &[""],
    body: &[
        same("trunk.stages.{}.{}.conv1", "layer{+1}.{}.conv1"),
        same("trunk.stages.{}.{}.conv2", "layer{+1}.{}.conv2"),
        same("trunk.stages.{}.{}.conv3", "layer{+1}.{}.conv3"),
        same("trunk.stages.{}.{}.norm1", "layer{+1}.{}.bn1"),
        same("trunk.stages.{}.{}.norm2", "layer{+1}.{}.bn2"),
        same("trunk.stages.{}.{}.norm3", "layer{+1}.{}.bn3"),
        same("trunk.stages.{}.{}.gate.down", "layer{+1}.{}.se.fc1"),
        same("trunk.stages.{}.{}.gate.up", "layer{+1}.{}.se.fc2"),
        same("trunk.stages.{}.{}.gate.conv", "layer{+1}.{}.se.conv"),
        // Behind a pooling, they are the second and the third of their sequence.
        same("trunk.stages.{}.{}.shortcut.conv", "layer{+1}.{}.downsample.0"),
        same("trunk.stages.{}.{}.shortcut.conv", "layer{+1}.{}.downsample.1"),
        same("trunk.stages.{}.{}.shortcut.norm", "layer{+1}.{}.downsample.2"),
        same("trunk.stages.{}.{}.shortcut.norm", "layer{+1}.{}.downsample.1"),
        same("embed.before.0.conv", "conv1.0"),
        same("embed.before.0.norm", "conv1.1"),
        same("embed.before.1.conv", "conv1.3"),
        same("embed.before.1.norm", "conv1.4"),
        same("embed.conv", "conv1.6"),
        same("embed.conv", "conv1"),
        same("embed.norm", "bn1"),
    ],
    head: &[same("head", "fc"), same("head", "linear")],
};

/// The network as its tensors have it. Stages halve the feature map's sides, but for the first.
fn resnet(checkpoint: &Checkpoint) -> Result<PretrainedConfig, &'static str> {
    let tensors = Tensors::of(checkpoint, DIALECT)?;
    if tensors.has_theirs("maxpool.0.weight") {
        return Err("a ResNet with a convolution in place of the stem's pooling is not supported");
    }
    told("resnet", &tensors)
}

fn told(name: &str, tensors: &Tensors<'_>) -> Result<PretrainedConfig, &'static str> {
    let trunk = tensors.residual(&[1, 2]).ok_or(UNUSUAL)?;
    let stem = tensors.stem(2, StemPool::Max).ok_or(UNUSUAL)?;
    // The small networks have a small kernel, no pooling, and shortcuts without parameters.
    let stem = match (stem.kernel, stem.before) {
        (7, None) | (3, Some(_)) => stem,
        (3, None) => StemConfig { stride: 1, pool: StemPool::Without, ..stem },
        _ => return Err(UNUSUAL),
    };
    let norm = tensors.norm("embed.norm");
    Ok(pretrained(name, ConvNetConfig { norm, ..trunk }, StemConfig { norm, ..stem }))
}

/// A body that fastai cut from torchvision's: the first of a sequence, whose layers are numbered.
pub(in crate::family) const RESNET_FASTAI: Family = Family {
    name: "resnet-fastai",
    reads: "ResNet (fastai's numbered names)",
    key_map: FASTAI_NAMES,
    matches_config: |_| false,
    from_config: |_, checkpoint| RESNET_FASTAI.infer(checkpoint, None),
    from_tensors: |checkpoint| told("resnet-fastai", &Tensors::of(checkpoint, FASTAI_NAMES)?),
    hugging_face: Some(&HUGGING_FACE),
};

const FASTAI_NAMES: KeyMap = KeyMap {
    name: "resnet-fastai",
    prefixes: &["0."],
    body: &[
        same("trunk.stages.{}.{}.conv1", "{+4}.{}.conv1"),
        same("trunk.stages.{}.{}.conv2", "{+4}.{}.conv2"),
        same("trunk.stages.{}.{}.conv3", "{+4}.{}.conv3"),
        same("trunk.stages.{}.{}.norm1", "{+4}.{}.bn1"),
        same("trunk.stages.{}.{}.norm2", "{+4}.{}.bn2"),
        same("trunk.stages.{}.{}.norm3", "{+4}.{}.bn3"),
        same("trunk.stages.{}.{}.shortcut.conv", "{+4}.{}.downsample.0"),
        same("trunk.stages.{}.{}.shortcut.norm", "{+4}.{}.downsample.1"),
        same("embed.conv", "0"),
        same("embed.norm", "1"),
    ],
    // Its head has norms between its layers, so that it is trained anew.
    head: &[],
};

pub(in crate::family) const RESNET_HF: Family = Family {
    name: "resnet-hf",
    reads: "ResNet (transformers)",
    key_map: HF_NAMES,
    matches_config: |config| config.model_type() == Some("resnet"),
    from_config: |config, _| {
        let c: ResNetHfConfig = config.parse()?;
        let block = match c.layer_type.as_str() {
            "basic" => BlockKind::Basic,
            "bottleneck" => BlockKind::Bottleneck,
            other => {
                let problem = format!("layer_type is {other:?}, expected basic or bottleneck");
                return Err(config.refuse(problem));
            }
        };
        if c.downsample_in_bottleneck || c.depths.len() != c.hidden_sizes.len() {
            return Err(config.refuse("a ResNet of this build is not supported".into()));
        }
        let stages = c.depths.iter().zip(&c.hidden_sizes).enumerate();
        let stages = stages.map(|(i, (&blocks, &width))| {
            let stride = if i == 0 && !c.downsample_in_first_stage { 1 } else { 2 };
            Stage::new(blocks, width, stride)
        });
        let trunk = ConvNetConfig::new(c.embedding_size, stages.collect(), block);
        let stem = StemConfig::new((c.num_channels, c.embedding_size), 7, 2, StemPool::Max);
        let mut family = pretrained("resnet-hf", trunk, stem);
        family.head.labels = config.labels()?;
        Ok(family)
    },
    from_tensors: |_| Err("its blocks cannot be told apart"),
    hugging_face: Some(&HUGGING_FACE),
};

const HF_NAMES: KeyMap = KeyMap {
    name: "resnet-hf",
    prefixes: &["resnet.", ""],
    body: &[
        same("trunk.stages.{}.{}.conv1", "encoder.stages.{}.layers.{}.layer.0.convolution"),
        same("trunk.stages.{}.{}.conv2", "encoder.stages.{}.layers.{}.layer.1.convolution"),
        same("trunk.stages.{}.{}.conv3", "encoder.stages.{}.layers.{}.layer.2.convolution"),
        same("trunk.stages.{}.{}.norm1", "encoder.stages.{}.layers.{}.layer.0.normalization"),
        same("trunk.stages.{}.{}.norm2", "encoder.stages.{}.layers.{}.layer.1.normalization"),
        same("trunk.stages.{}.{}.norm3", "encoder.stages.{}.layers.{}.layer.2.normalization"),
        same(
            "trunk.stages.{}.{}.shortcut.conv",
            "encoder.stages.{}.layers.{}.shortcut.convolution",
        ),
        same(
            "trunk.stages.{}.{}.shortcut.norm",
            "encoder.stages.{}.layers.{}.shortcut.normalization",
        ),
        same("embed.conv", "embedder.embedder.convolution"),
        same("embed.norm", "embedder.embedder.normalization"),
    ],
    head: &[same("head", "classifier.1")],
};

const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[Class::new("ResNetForImageClassification", Pool::Mean, HeadKind::Linear)],
    key_map: HF_NAMES,
    in_memory: &[],
    to_config,
};

/// The fields of `ResNetConfig`.
fn to_config(built: Built<'_>) -> Option<Value> {
    let (TrunkConfig::ConvNet(r), EmbedderConfig::Stem(stem)) = (built.trunk, built.embedder)
    else {
        return None;
    };
    // What is not named here is as `new` has it.
    let usual = ConvNetConfig::new(r.in_channels, r.stages.clone(), r.block);
    let usual_stem = StemConfig::new((stem.in_channels, stem.out_channels), 7, 2, StemPool::Max);
    let plain = |s: &Stage| *s == Stage::new(s.blocks, s.width, s.stride);
    let published = *r == usual
        && *stem == usual_stem
        && r.stages.iter().all(plain)
        && r.stages.iter().skip(1).all(|stage| stage.stride == 2);
    let layer = match r.block {
        BlockKind::Basic => "basic",
        BlockKind::Bottleneck => "bottleneck",
        _ => return None,
    };
    if !published {
        return None;
    }
    let sizes: Vec<i64> = r.stages.iter().map(|stage| stage.width).collect();
    let depths: Vec<usize> = r.stages.iter().map(|stage| stage.blocks).collect();
    Some(json!({
        "model_type": "resnet", "embedding_size": r.in_channels, "hidden_sizes": sizes,
        "depths": depths, "layer_type": layer, "hidden_act": "relu",
        "num_channels": stem.in_channels, "downsample_in_bottleneck": false,
        "downsample_in_first_stage": r.stages.first()?.stride == 2,
    }))
}

/// `ResNetConfig` of transformers.
#[derive(Deserialize)]
struct ResNetHfConfig {
    embedding_size: i64,
    hidden_sizes: Vec<i64>,
    depths: Vec<usize>,
    #[serde(default = "bottleneck")]
    layer_type: String,
    #[serde(default = "defaults::three")]
    num_channels: i64,
    #[serde(default)]
    downsample_in_first_stage: bool,
    #[serde(default)]
    downsample_in_bottleneck: bool,
}

fn bottleneck() -> String {
    "bottleneck".into()
}

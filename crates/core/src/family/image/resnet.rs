//! Residual networks (He et al. 2016): torchvision's and timm's, which share their names, the small
//! ones for CIFAR, and transformers'.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Result;
use crate::family::defaults;
use crate::family::family::{
    Built, Class, Family, HeadKind, HuggingFace, PretrainedConfig, PretrainedHead, count, shape,
};
use crate::nn::{
    BlockKind, ConvNetConfig, EmbedderConfig, HeadConfig, Pool, Shortcut, Stage, StemConfig,
    StemPool, TrunkConfig,
};
use crate::weights::{Checkpoint, KeyMap, same};

pub(in crate::family) const RESNET: Family = Family {
    name: "resnet",
    reads: "ResNet (torchvision, timm, the small ones for CIFAR)",
    key_map: DIALECT,
    // `resnet50`; but `resnetv2_50` and the like are other networks.
    matches_config: |config| {
        let depth = config.architecture().and_then(|a| a.strip_prefix("resnet"));
        depth.is_some_and(|depth| depth.starts_with(|c: char| c.is_ascii_digit()))
    },
    from_config: |config, checkpoint| {
        let mut family = resnet(checkpoint).map_err(|e| config.refuse(e.into()))?;
        family.head.labels = config.labels()?;
        Ok(family)
    },
    from_tensors: resnet,
    hugging_face: Some(&HUGGING_FACE),
};

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
        same("trunk.stages.{}.{}.shortcut.conv", "layer{+1}.{}.downsample.0"),
        same("trunk.stages.{}.{}.shortcut.norm", "layer{+1}.{}.downsample.1"),
        same("embed.conv", "conv1"),
        same("embed.norm", "bn1"),
    ],
    head: &[same("head", "fc"), same("head", "linear")],
};

/// The network as its tensors have it. Stages halve the feature map's sides, but for the first.
fn resnet(checkpoint: &Checkpoint) -> Result<PretrainedConfig, &'static str> {
    const UNUSUAL: &str =
        "a ResNet of this build is not supported (another stem, groups or shapes)";
    let shape = |name: &str| shape(checkpoint, &DIALECT, name);
    let Some(&[out_channels, in_channels, kernel, _]) = shape("conv1.weight") else {
        return Err(UNUSUAL);
    };
    let stages = count(checkpoint, &DIALECT, "layer{}.0.conv1.weight", 1);
    let bottleneck = shape("layer1.0.conv3.weight").is_some();
    let last = if bottleneck { "conv3" } else { "conv2" };
    let stages = (0..stages)
        .map(|i| {
            let width = *shape(&format!("layer{}.0.{last}.weight", i + 1))?.first()?;
            let blocks =
                count(checkpoint, &DIALECT, &format!("layer{}.{{}}.conv1.weight", i + 1), 0);
            Some(Stage::new(blocks, width, if i == 0 { 1 } else { 2 }))
        })
        .collect::<Option<Vec<_>>>()
        .ok_or(UNUSUAL)?;
    // Grouped convolutions (ResNeXt) take fewer channels than their bottleneck has.
    let inner = shape("layer1.0.conv2.weight").ok_or(UNUSUAL)?;
    if inner.first() != inner.get(1) {
        return Err(UNUSUAL);
    }
    // The small networks have a small kernel, no pooling, and shortcuts without parameters.
    let (stride, pool) = match kernel {
        7 => (2, StemPool::Max),
        3 => (1, StemPool::Without),
        _ => return Err(UNUSUAL),
    };
    let projected = shape("layer2.0.downsample.0.weight").is_some() || stages.len() < 2;
    Ok(family(
        "resnet",
        ConvNetConfig {
            shortcut: if projected { Shortcut::Projected } else { Shortcut::Padded },
            ..ConvNetConfig::new(
                out_channels,
                stages,
                if bottleneck { BlockKind::Bottleneck } else { BlockKind::Basic },
            )
        },
        StemConfig::new((in_channels, out_channels), kernel, stride, pool),
    ))
}

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
        let mut family = family("resnet-hf", trunk, stem);
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
    let published = *r == usual
        && *stem == usual_stem
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

fn family(name: &str, trunk: ConvNetConfig, stem: StemConfig) -> PretrainedConfig {
    PretrainedConfig {
        name: name.into(),
        modality: "image".into(),
        trunk: TrunkConfig::ConvNet(trunk),
        embedder: EmbedderConfig::Stem(stem),
        head: PretrainedHead { pool: Pool::Mean, config: HeadConfig::default(), labels: None },
    }
}

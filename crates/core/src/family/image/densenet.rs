//! DenseNets (Huang et al. 2017): torchvision's and timm's, which share their names.

use serde_json::{Value, json};

use super::convnet::{Tensors, UNUSUAL, pretrained};
use crate::family::family::{Built, Class, Family, HeadKind, HuggingFace, PretrainedConfig};
use crate::nn::{
    Before, BlockKind, ConvNetConfig, EmbedderConfig, End, Pool, Stage, StemConfig, StemPool,
    TrunkConfig,
};
use crate::weights::{Checkpoint, KeyMap, same};

pub(in crate::family) const DENSENET: Family = Family {
    name: "densenet",
    key_map: NAMES,
    // `densenetblur121d` pools otherwise.
    matches_config: |config| {
        let depth = config
            .architecture()
            .and_then(|name| name.strip_prefix("tv_").unwrap_or(name).strip_prefix("densenet"));
        depth.is_some_and(|depth| depth.starts_with(|c: char| c.is_ascii_digit()))
    },
    from_config: |config, checkpoint| {
        config.check_timm()?;
        let mut family = densenet(checkpoint).map_err(|e| config.refuse(e.into()))?;
        family.head.labels = config.labels()?;
        Ok(family)
    },
    from_tensors: densenet,
    hugging_face: Some(&HUGGING_FACE),
};

const NAMES: KeyMap = KeyMap {
    name: "densenet",
    prefixes: &[""],
    body: &[
        same("trunk.end.norm", "features.norm5"),
        same("embed.conv", "features.conv2"),
        same("embed.conv", "features.conv0"),
        same("embed.norm", "features.norm2"),
        same("embed.norm", "features.norm0"),
        same("embed.before.0.conv", "features.conv0"),
        same("embed.before.0.norm", "features.norm0"),
        same("embed.before.1.conv", "features.conv1"),
        same("embed.before.1.norm", "features.norm1"),
        same("trunk.stages.{}.{}.norm1", "features.denseblock{+1}.denselayer{+1}.norm1"),
        same("trunk.stages.{}.{}.conv1", "features.denseblock{+1}.denselayer{+1}.conv1"),
        same("trunk.stages.{}.{}.norm2", "features.denseblock{+1}.denselayer{+1}.norm2"),
        same("trunk.stages.{}.{}.conv2", "features.denseblock{+1}.denselayer{+1}.conv2"),
        // As torchvision's published files have them.
        same("trunk.stages.{}.{}.norm1", "features.denseblock{+1}.denselayer{+1}.norm.1"),
        same("trunk.stages.{}.{}.conv1", "features.denseblock{+1}.denselayer{+1}.conv.1"),
        same("trunk.stages.{}.{}.norm2", "features.denseblock{+1}.denselayer{+1}.norm.2"),
        same("trunk.stages.{}.{}.conv2", "features.denseblock{+1}.denselayer{+1}.conv.2"),
        same("trunk.stages.{}.before.norm", "features.transition{}.norm"),
        same("trunk.stages.{}.before.conv", "features.transition{}.conv"),
    ],
    head: &[same("head", "classifier")],
};

/// transformers' wrapper of timm's models.
const HUGGING_FACE: HuggingFace = HuggingFace {
    classes: &[Class::new("TimmWrapperForImageClassification", Pool::Mean, HeadKind::Linear)],
    key_map: KeyMap {
        name: "densenet",
        prefixes: &["timm_model.features."],
        body: &[
            same("trunk.end.norm", "norm5"),
            same("embed.conv", "conv0"),
            same("embed.norm", "norm0"),
            same("trunk.stages.{}.{}.norm1", "denseblock{+1}.denselayer{+1}.norm1"),
            same("trunk.stages.{}.{}.conv1", "denseblock{+1}.denselayer{+1}.conv1"),
            same("trunk.stages.{}.{}.norm2", "denseblock{+1}.denselayer{+1}.norm2"),
            same("trunk.stages.{}.{}.conv2", "denseblock{+1}.denselayer{+1}.conv2"),
            same("trunk.stages.{}.before.norm", "transition{}.norm"),
            same("trunk.stages.{}.before.conv", "transition{}.conv"),
        ],
        head: &[same("head", "timm_model.classifier")],
    },
    in_memory: &[],
    to_config,
};

/// The fields of `TimmWrapperConfig`, with the arguments by which `densenet121` becomes the network.
fn to_config(built: Built<'_>) -> Option<Value> {
    let (TrunkConfig::ConvNet(net), EmbedderConfig::Stem(stem)) = (built.trunk, built.embedder)
    else {
        return None;
    };
    let growth = net.in_channels / 2;
    let inner = net.stages.first()?.inner.unwrap_or(4 * growth);
    if growth < 1 || inner % growth != 0 {
        return None;
    }
    // What is not named here is as `new` has it.
    let mut c_in = net.in_channels;
    let stages = net.stages.iter().enumerate().map(|(i, stage)| {
        let before = (i > 0).then_some(Before::Transition(c_in / 2));
        c_in = if i > 0 { c_in / 2 } else { c_in } + stage.blocks as i64 * growth;
        let inner = (inner != 4 * growth).then_some(inner);
        Stage { inner, before, ..Stage::new(stage.blocks, c_in, 1) }
    });
    let usual = ConvNetConfig::new(2 * growth, stages.collect(), BlockKind::Dense);
    let usual_stem = StemConfig::new((stem.in_channels, 2 * growth), 7, 2, StemPool::Max);
    if *net != (ConvNetConfig { end: End::Norm, ..usual }) || *stem != usual_stem {
        return None;
    }
    let blocks: Vec<usize> = net.stages.iter().map(|stage| stage.blocks).collect();
    Some(json!({
        "model_type": "timm_wrapper", "architecture": "densenet121", "do_pooling": true,
        "model_args": {
            "growth_rate": growth, "block_config": blocks, "bn_size": inner / growth,
            "in_chans": stem.in_channels,
        },
        "num_classes": built.labels.len(), "label_names": built.labels,
    }))
}

/// The network as its tensors have it.
fn densenet(checkpoint: &Checkpoint) -> Result<PretrainedConfig, &'static str> {
    let tensors = Tensors::of(checkpoint, NAMES)?;
    let trunk = trunk(&tensors).ok_or(UNUSUAL)?;
    let mut stem = tensors.stem(2, StemPool::Max).ok_or(UNUSUAL)?;
    // The first of three is also the only one.
    if !tensors.has("embed.before.1.conv.weight") {
        stem.in_channels =
            *tensors.shape("embed.conv.weight").and_then(|s| s.get(1)).ok_or(UNUSUAL)?;
        stem.before = None;
    }
    match (stem.kernel, stem.before) {
        (7, None) | (3, Some(_)) => Ok(pretrained("densenet", trunk, stem)),
        _ => Err(UNUSUAL),
    }
}

fn trunk(tensors: &Tensors<'_>) -> Option<ConvNetConfig> {
    let at = |i: usize, j: usize, name: &str| format!("trunk.stages.{i}.{j}.{name}.weight");
    let in_channels = tensors.width("embed.conv.weight")?;
    let mut c_in = in_channels;
    let mut stages = vec![];
    for i in 0..tensors.count(|i| at(i, 0, "conv1")) {
        let before = match i {
            0 => None,
            _ => {
                c_in = tensors.width(&format!("trunk.stages.{i}.before.conv.weight"))?;
                Some(Before::Transition(c_in))
            }
        };
        let blocks = tensors.count(|j| at(i, j, "conv1"));
        let growth = tensors.width(&at(i, 0, "conv2"))?;
        let inner = tensors.width(&at(i, 0, "conv1")).filter(|&inner| inner != 4 * growth);
        c_in += blocks as i64 * growth;
        stages.push(Stage { inner, before, ..Stage::new(blocks, c_in, 1) });
    }
    let config = ConvNetConfig::new(in_channels, stages, BlockKind::Dense);
    Some(ConvNetConfig { end: End::Norm, ..config })
}

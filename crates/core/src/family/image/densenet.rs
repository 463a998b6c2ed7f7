//! DenseNets (Huang et al. 2017): torchvision's and timm's, which share their names.

use super::convnet::{Tensors, UNUSUAL, pretrained};
use crate::family::family::{Family, PretrainedConfig};
use crate::nn::{Before, BlockKind, ConvNetConfig, End, Stage, StemPool};
use crate::weights::{Checkpoint, KeyMap, same};

pub(in crate::family) const DENSENET: Family = Family {
    name: "densenet",
    reads: "DenseNet (torchvision, timm)",
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
    hugging_face: None,
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

//! MobileNet v2 and v3, EfficientNet and EfficientNet v2 as torchvision saves them: state dicts, whose
//! tensors tell which of its models they are.

use super::convnet::{Tensors, UNUSUAL};
use super::mobile::{
    Found, Network, Style, TENSORFLOW, USUAL, dense, labelled, stages, stem, usual_stride,
};
use crate::error::Result;
use crate::family::family::{Family, PretrainedConfig};
use crate::nn::{Activation, HeadConfig, InvertedForm, Padding};
use crate::weights::{Checkpoint, KeyMap, KeyRule, same};

pub(in crate::family) const TORCHVISION_EFFICIENTNET: Family = Family {
    name: "torchvision-efficientnet",
    reads: "EfficientNet and v2 (torchvision)",
    key_map: EFFICIENTNET,
    matches_config: |_| false,
    from_config: |config, checkpoint| labelled(config, efficientnet(checkpoint)),
    from_tensors: efficientnet,
    hugging_face: None,
};

const EFFICIENTNET: KeyMap = KeyMap {
    name: "torchvision-efficientnet",
    prefixes: &[""],
    body: &[
        same("trunk.stages.{}.{}.depthwise.conv", "features.{+1}.{}.block.0.0"),
        same("trunk.stages.{}.{}.depthwise.norm", "features.{+1}.{}.block.0.1"),
        same("trunk.stages.{}.{}.pointwise.conv", "features.{+1}.{}.block.2.0"),
        same("trunk.stages.{}.{}.pointwise.norm", "features.{+1}.{}.block.2.1"),
        same("trunk.stages.{}.{}.conv1", "features.{+1}.{}.block.0.0"),
        same("trunk.stages.{}.{}.norm1", "features.{+1}.{}.block.0.1"),
        same("trunk.stages.{}.{}.conv2", "features.{+1}.{}.block.1.0"),
        same("trunk.stages.{}.{}.norm2", "features.{+1}.{}.block.1.1"),
        same("trunk.stages.{}.{}.conv3", "features.{+1}.{}.block.3.0"),
        same("trunk.stages.{}.{}.norm3", "features.{+1}.{}.block.3.1"),
        same("trunk.stages.{}.{}.se.down", "features.{+1}.{}.block.2.fc1"),
        same("trunk.stages.{}.{}.se.down", "features.{+1}.{}.block.1.fc1"),
        same("trunk.stages.{}.{}.se.up", "features.{+1}.{}.block.2.fc2"),
        same("trunk.stages.{}.{}.se.up", "features.{+1}.{}.block.1.fc2"),
        same("trunk.stages.{}.{}.conv", "features.{+1}.{}.block.0.0"),
        same("trunk.stages.{}.{}.norm", "features.{+1}.{}.block.0.1"),
        LAST[0],
        LAST[1],
        STEM[0],
        STEM[1],
    ],
    head: &[same("head", "classifier.1")],
};

/// The last convolution, which is numbered as the stages are.
const LAST: [KeyRule; 2] = [
    same("trunk.stages.{}.0.conv", "features.{+1}.0"),
    same("trunk.stages.{}.0.norm", "features.{+1}.1"),
];

const STEM: [KeyRule; 2] = [same("embed.conv", "features.0.0"), same("embed.norm", "features.0.1")];

fn efficientnet(checkpoint: &Checkpoint) -> Result<PretrainedConfig, &'static str> {
    let tensors = Tensors::of(checkpoint, EFFICIENTNET)?;
    let activation = Activation::Silu;
    let mut fused = false;
    let probe = stem(&tensors, USUAL, Padding::Half, activation).ok_or(UNUSUAL)?;
    let stages = stages(&tensors, probe.out_channels, |found| {
        fused |= found.form == InvertedForm::Plain && found.kernel > 1;
        Style {
            stride: usual_stride(found.stage),
            padding: Padding::Half,
            activation,
            squeeze: [activation, Activation::Sigmoid],
        }
    });
    // EfficientNet v2 and, from B5 on, EfficientNet have TensorFlow's epsilon.
    let wide = stages.last().is_some_and(|last| last.width >= 2048);
    let norm = if fused || wide { TENSORFLOW } else { USUAL };
    let stem = stem(&tensors, norm, Padding::Half, activation).ok_or(UNUSUAL)?;
    let name = EFFICIENTNET.name;
    Network { name, stem, stages, norm, activation, head: HeadConfig::default() }.family()
}

pub(in crate::family) const TORCHVISION_MOBILENET_V2: Family = Family {
    name: "torchvision-mobilenet-v2",
    reads: "MobileNet v2 (torchvision)",
    key_map: MOBILENET_V2,
    matches_config: |_| false,
    from_config: |config, checkpoint| labelled(config, mobilenet_v2(checkpoint)),
    from_tensors: mobilenet_v2,
    hugging_face: None,
};

/// Blocks are numbered through: each is a stage.
const MOBILENET_V2: KeyMap = KeyMap {
    name: "torchvision-mobilenet-v2",
    prefixes: &[""],
    body: &[
        same("trunk.stages.{}.0.depthwise.conv", "features.{+1}.conv.0.0"),
        same("trunk.stages.{}.0.depthwise.norm", "features.{+1}.conv.0.1"),
        same("trunk.stages.{}.0.pointwise.conv", "features.{+1}.conv.1"),
        same("trunk.stages.{}.0.pointwise.norm", "features.{+1}.conv.2"),
        same("trunk.stages.{}.0.conv1", "features.{+1}.conv.0.0"),
        same("trunk.stages.{}.0.norm1", "features.{+1}.conv.0.1"),
        same("trunk.stages.{}.0.conv2", "features.{+1}.conv.1.0"),
        same("trunk.stages.{}.0.norm2", "features.{+1}.conv.1.1"),
        same("trunk.stages.{}.0.conv3", "features.{+1}.conv.2"),
        same("trunk.stages.{}.0.norm3", "features.{+1}.conv.3"),
        LAST[0],
        LAST[1],
        STEM[0],
        STEM[1],
    ],
    head: &[same("head", "classifier.1")],
};

fn mobilenet_v2(checkpoint: &Checkpoint) -> Result<PretrainedConfig, &'static str> {
    const STRIDES: [i64; 17] = [1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1];
    let tensors = Tensors::of(checkpoint, MOBILENET_V2)?;
    let (activation, norm) = (Activation::Relu6, USUAL);
    let stem = stem(&tensors, norm, Padding::Half, activation).ok_or(UNUSUAL)?;
    let stages = stages(&tensors, stem.out_channels, |found| Style {
        stride: STRIDES.get(found.stage).copied().unwrap_or(1),
        padding: Padding::Half,
        activation,
        squeeze: [activation, Activation::Sigmoid],
    });
    let name = MOBILENET_V2.name;
    Network { name, stem, stages, norm, activation, head: HeadConfig::default() }.family()
}

pub(in crate::family) const TORCHVISION_MOBILENET_V3: Family = Family {
    name: "torchvision-mobilenet-v3",
    reads: "MobileNet v3 (torchvision)",
    key_map: MOBILENET_V3,
    matches_config: |_| false,
    from_config: |config, checkpoint| labelled(config, mobilenet_v3(checkpoint)),
    from_tensors: mobilenet_v3,
    hugging_face: None,
};

const MOBILENET_V3: KeyMap = KeyMap {
    name: "torchvision-mobilenet-v3",
    prefixes: &[""],
    body: &[
        same("trunk.stages.{}.0.depthwise.conv", "features.{+1}.block.0.0"),
        same("trunk.stages.{}.0.depthwise.norm", "features.{+1}.block.0.1"),
        same("trunk.stages.{}.0.pointwise.conv", "features.{+1}.block.2.0"),
        same("trunk.stages.{}.0.pointwise.conv", "features.{+1}.block.1.0"),
        same("trunk.stages.{}.0.pointwise.norm", "features.{+1}.block.2.1"),
        same("trunk.stages.{}.0.pointwise.norm", "features.{+1}.block.1.1"),
        same("trunk.stages.{}.0.conv1", "features.{+1}.block.0.0"),
        same("trunk.stages.{}.0.norm1", "features.{+1}.block.0.1"),
        same("trunk.stages.{}.0.conv2", "features.{+1}.block.1.0"),
        same("trunk.stages.{}.0.norm2", "features.{+1}.block.1.1"),
        same("trunk.stages.{}.0.conv3", "features.{+1}.block.3.0"),
        same("trunk.stages.{}.0.conv3", "features.{+1}.block.2.0"),
        same("trunk.stages.{}.0.norm3", "features.{+1}.block.3.1"),
        same("trunk.stages.{}.0.norm3", "features.{+1}.block.2.1"),
        same("trunk.stages.{}.0.se.down", "features.{+1}.block.2.fc1"),
        same("trunk.stages.{}.0.se.down", "features.{+1}.block.1.fc1"),
        same("trunk.stages.{}.0.se.up", "features.{+1}.block.2.fc2"),
        same("trunk.stages.{}.0.se.up", "features.{+1}.block.1.fc2"),
        LAST[0],
        LAST[1],
        STEM[0],
        STEM[1],
    ],
    head: &[same("head.dense", "classifier.0"), same("head", "classifier.3")],
};

fn mobilenet_v3(checkpoint: &Checkpoint) -> Result<PretrainedConfig, &'static str> {
    // Strides by block, and how many blocks have ReLU.
    const LARGE: (&[i64], usize) = (&[1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1], 6);
    const SMALL: (&[i64], usize) = (&[2, 2, 1, 2, 1, 1, 1, 1, 2, 1, 1], 3);
    let tensors = Tensors::of(checkpoint, MOBILENET_V3)?;
    let (last, norm) = (Activation::HardSwish, TENSORFLOW);
    let stem = stem(&tensors, norm, Padding::Half, last).ok_or(UNUSUAL)?;
    // The first block of the small one has a squeeze.
    let small = tensors.shape("trunk.stages.0.0.se.down.weight").is_some();
    let (strides, plain) = if small { SMALL } else { LARGE };
    let style = |found: &Found| Style {
        stride: strides.get(found.stage).copied().unwrap_or(1),
        padding: Padding::Half,
        activation: if found.stage < plain { Activation::Relu } else { last },
        squeeze: [Activation::Relu, Activation::HardSigmoid],
    };
    let stages = stages(&tensors, stem.out_channels, style);
    let head = HeadConfig { dense: dense(&tensors, last), ..HeadConfig::default() };
    Network { name: MOBILENET_V3.name, stem, stages, norm, activation: last, head }.family()
}

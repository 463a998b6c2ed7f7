//! EfficientNet and EfficientNet-Lite by the names of EfficientNet-PyTorch, which pads as TensorFlow
//! does.

use super::convnet::{Tensors, UNUSUAL};
use super::mobile::{Found, Network, Style, TENSORFLOW, stages, stem, usual_stride};
use crate::error::Result;
use crate::family::family::{Family, PretrainedConfig};
use crate::nn::{Activation, HeadConfig, InvertedForm, Padding};
use crate::weights::{Checkpoint, KeyMap, same};

pub(in crate::family) const EFFICIENTNET_PYTORCH: Family = Family {
    name: "efficientnet-pytorch",
    reads: "EfficientNet and Lite (EfficientNet-PyTorch)",
    key_map: NAMES,
    matches_config: |_| false,
    from_config: |config, checkpoint| {
        let mut family = network(checkpoint).map_err(|problem| config.refuse(problem.into()))?;
        family.head.labels = config.labels()?;
        Ok(family)
    },
    from_tensors: network,
    hugging_face: None,
};

/// Blocks are numbered through: each is a stage.
const NAMES: KeyMap = KeyMap {
    name: "efficientnet-pytorch",
    prefixes: &[""],
    body: &[
        same("embed.conv", "_conv_stem"),
        same("embed.norm", "_bn0"),
        same("trunk.stages.{}.0.conv1", "_blocks.{}._expand_conv"),
        same("trunk.stages.{}.0.norm1", "_blocks.{}._bn0"),
        same("trunk.stages.{}.0.conv2", "_blocks.{}._depthwise_conv"),
        same("trunk.stages.{}.0.norm2", "_blocks.{}._bn1"),
        same("trunk.stages.{}.0.conv3", "_blocks.{}._project_conv"),
        same("trunk.stages.{}.0.norm3", "_blocks.{}._bn2"),
        same("trunk.stages.{}.0.depthwise.conv", "_blocks.{}._depthwise_conv"),
        same("trunk.stages.{}.0.depthwise.norm", "_blocks.{}._bn1"),
        same("trunk.stages.{}.0.pointwise.conv", "_blocks.{}._project_conv"),
        same("trunk.stages.{}.0.pointwise.norm", "_blocks.{}._bn2"),
        same("trunk.stages.{}.0.se.down", "_blocks.{}._se_reduce"),
        same("trunk.stages.{}.0.se.up", "_blocks.{}._se_expand"),
        same("trunk.stages.{}.0.conv", "_conv_head"),
        same("trunk.stages.{}.0.norm", "_bn1"),
    ],
    head: &[same("head", "_fc")],
};

fn network(checkpoint: &Checkpoint) -> Result<PretrainedConfig, &'static str> {
    let tensors = Tensors::of(checkpoint, NAMES)?;
    // The Lite ones have ReLU6 and no squeezes.
    let squeezed = tensors.shape("trunk.stages.0.0.se.down.weight").is_some();
    let activation = if squeezed { Activation::Silu } else { Activation::Relu6 };
    let (norm, padding) = (TENSORFLOW, Padding::Same);
    let stem = stem(&tensors, norm, padding, activation).ok_or(UNUSUAL)?;
    // A stage of the paper begins where the width changes; the blocks of the first are separable.
    let (mut stage, mut of) = (0, None::<(InvertedForm, i64)>);
    let style = |found: &Found| {
        let now = (found.form, found.width);
        let begins = of.is_some_and(|before| before != now);
        stage += usize::from(begins);
        let stride = if begins { usual_stride(stage) } else { 1 };
        of = Some(now);
        Style { stride, padding, activation, squeeze: [activation, Activation::Sigmoid] }
    };
    let stages = stages(&tensors, stem.out_channels, style);
    let head = HeadConfig::default();
    Network { name: NAMES.name, stem, stages, norm, activation, head }.family()
}

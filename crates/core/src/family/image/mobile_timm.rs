//! MobileNet v2 and v3, EfficientNet, EfficientNet v2 and EfficientNet-Lite as timm saves them.

use serde::Deserialize;

use super::convnet::{Tensors, UNUSUAL};
use super::mobile::{Found, Network, Style, TENSORFLOW, USUAL, dense, stages, stem, usual_stride};
use crate::error::Result;
use crate::family::family::{Family, PretrainedConfig};
use crate::nn::{Activation, HeadConfig, NormConfig, Padding};
use crate::weights::{Checkpoint, KeyMap, TensorTransform, same, transformed};

pub(in crate::family) const TIMM_EFFICIENTNET: Family = Family {
    name: "timm-efficientnet",
    reads: "EfficientNet, v2 and Lite, MobileNet v2 and v3 (timm)",
    key_map: NAMES,
    matches_config: |config| config.architecture().is_some_and(|name| Variant::of(name).is_some()),
    from_config: |config, checkpoint| {
        let refused = |problem: &str| config.refuse(problem.into());
        let name = config.architecture().unwrap_or_default();
        let timm: TimmConfig = config.parse()?;
        if let Some(other) = timm.global_pool.as_deref().filter(|pool| *pool != "avg") {
            return Err(refused(&format!("its global_pool is {other:?}, expected avg")));
        }
        let variant = Variant::of(name).ok_or_else(|| refused(UNUSUAL))?;
        let variant = timm.model_args.unwrap_or_default().applied(variant).map_err(|field| {
            refused(&format!("model_args: {field} is set, which is not supported"))
        })?;
        let mut family = network(checkpoint, variant).map_err(refused)?;
        family.head.labels = config.labels()?;
        Ok(family)
    },
    from_tensors: |_| Err("its padding, activations and epsilon cannot be told"),
    hugging_face: None,
};

const NAMES: KeyMap = KeyMap {
    name: "timm-efficientnet",
    prefixes: &[""],
    body: &[
        same("embed.conv", "conv_stem"),
        same("embed.norm", "bn1"),
        same("trunk.stages.{}.{}.conv1", "blocks.{}.{}.conv_pw"),
        same("trunk.stages.{}.{}.conv1", "blocks.{}.{}.conv_exp"),
        same("trunk.stages.{}.{}.conv2", "blocks.{}.{}.conv_dw"),
        same("trunk.stages.{}.{}.conv2", "blocks.{}.{}.conv_pwl"),
        same("trunk.stages.{}.{}.conv3", "blocks.{}.{}.conv_pwl"),
        same("trunk.stages.{}.{}.norm1", "blocks.{}.{}.bn1"),
        same("trunk.stages.{}.{}.norm2", "blocks.{}.{}.bn2"),
        same("trunk.stages.{}.{}.norm3", "blocks.{}.{}.bn3"),
        same("trunk.stages.{}.{}.depthwise.conv", "blocks.{}.{}.conv_dw"),
        same("trunk.stages.{}.{}.depthwise.norm", "blocks.{}.{}.bn1"),
        same("trunk.stages.{}.{}.pointwise.conv", "blocks.{}.{}.conv_pw"),
        same("trunk.stages.{}.{}.pointwise.norm", "blocks.{}.{}.bn2"),
        same("trunk.stages.{}.{}.conv", "blocks.{}.{}.conv"),
        same("trunk.stages.{}.{}.norm", "blocks.{}.{}.bn1"),
        // The last convolution.
        same("trunk.stages.{}.0.conv", "conv_head"),
        same("trunk.stages.{}.0.norm", "bn2"),
        same("trunk.stages.{}.{}.se.down", "blocks.{}.{}.se.conv_reduce"),
        same("trunk.stages.{}.{}.se.up", "blocks.{}.{}.se.conv_expand"),
    ],
    head: &[
        same("head", "classifier"),
        transformed("head.dense", "conv_head", TensorTransform::Pointwise),
    ],
};

/// What an architecture's name tells.
#[derive(Debug, Clone, Copy)]
struct Variant {
    kind: Kind,
    padding: Padding,
    norm: NormConfig,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// All blocks have this activation.
    Alike(Activation),
    MobileNetV3Small,
    MobileNetV3Large,
}

impl Variant {
    /// `None`: another architecture, or a variant whose blocks compute something else.
    fn of(name: &str) -> Option<Self> {
        let (bare, tensorflow) = match name.strip_prefix("tf_") {
            Some(bare) => (bare, true),
            None => (name, false),
        };
        let starts = |start: &str| bare.starts_with(start);
        // Other norms, pooled strides, mixtures of convolutions, and blocks that are never added.
        let others =
            ["_gn", "_evos", "_blur_", "_cc_", "net_x_", "net_h_", "v3_rw", "v3_large_150d"];
        if others.iter().any(|other| bare.contains(other)) {
            return None;
        }
        let edge = ["efficientnet_es", "efficientnet_em", "efficientnet_el"];
        let efficient = ["efficientnet_b", "efficientnet_l2", "efficientnetv2_"];
        let kind = if starts("mobilenetv3_") && bare.contains("_minimal") {
            Kind::Alike(Activation::Relu)
        } else if starts("mobilenetv3_small") {
            Kind::MobileNetV3Small
        } else if starts("mobilenetv3_large") {
            Kind::MobileNetV3Large
        } else if starts("mobilenetv2_") || starts("efficientnet_lite") {
            Kind::Alike(Activation::Relu6)
        } else if efficient.iter().any(|start| starts(start)) {
            Kind::Alike(Activation::Silu)
        } else if edge.iter().any(|start| starts(start)) {
            Kind::Alike(Activation::Relu)
        } else {
            return None;
        };
        // What was pruned came from TensorFlow.
        let tensorflow = tensorflow || (starts("efficientnet_b") && bare.ends_with("_pruned"));
        Some(match tensorflow {
            true => Self { kind, padding: Padding::Same, norm: TENSORFLOW },
            false => Self { kind, padding: Padding::Half, norm: USUAL },
        })
    }

    fn style(&self, found: &Found, small: bool) -> Style {
        let stage = found.stage;
        let (activation, squeeze) = match self.kind {
            Kind::Alike(activation) => (activation, [activation, Activation::Sigmoid]),
            Kind::MobileNetV3Small | Kind::MobileNetV3Large => {
                let plain = stage < if small { 2 } else { 3 };
                let activation = if plain { Activation::Relu } else { Activation::HardSwish };
                (activation, [Activation::Relu, Activation::HardSigmoid])
            }
        };
        // The small MobileNet v3 halves the sides one stage earlier.
        let stride = usual_stride(if small { stage + 1 } else { stage });
        Style { stride, padding: self.padding, activation, squeeze }
    }
}

fn network(checkpoint: &Checkpoint, variant: Variant) -> Result<PretrainedConfig, &'static str> {
    let tensors = Tensors::of(checkpoint, NAMES)?;
    let Variant { kind, padding, norm } = variant;
    let activation = match kind {
        Kind::Alike(activation) => activation,
        Kind::MobileNetV3Small | Kind::MobileNetV3Large => Activation::HardSwish,
    };
    let stem = stem(&tensors, norm, padding, activation).ok_or(UNUSUAL)?;
    let small = kind == Kind::MobileNetV3Small;
    let stages = stages(&tensors, stem.out_channels, |found| variant.style(found, small));
    // MobileNet v3 has its last convolution behind the pooling, without a norm.
    let after = tensors.shape("head.dense.bias").is_some();
    let dense = dense(&tensors, activation).filter(|_| after);
    let head = HeadConfig { dense, ..HeadConfig::default() };
    Network { name: NAMES.name, stem, stages, norm, activation, head }.family()
}

/// What timm writes beside a model.
#[derive(Deserialize)]
struct TimmConfig {
    model_args: Option<TimmArgs>,
    global_pool: Option<String>,
}

/// Arguments that change what a model computes, but not its tensors.
#[derive(Default, Deserialize)]
struct TimmArgs {
    bn_eps: Option<f64>,
    pad_type: Option<String>,
    act_layer: Option<serde_json::Value>,
    aa_layer: Option<serde_json::Value>,
    se_layer: Option<serde_json::Value>,
    norm_layer: Option<serde_json::Value>,
    output_stride: Option<i64>,
}

impl TimmArgs {
    /// The variant with these arguments, or the name of one that is not supported.
    fn applied(self, variant: Variant) -> Result<Variant, &'static str> {
        let unknown = [
            ("act_layer", self.act_layer.is_some()),
            ("aa_layer", self.aa_layer.is_some()),
            ("se_layer", self.se_layer.is_some()),
            ("norm_layer", self.norm_layer.is_some()),
            ("output_stride", self.output_stride.is_some_and(|stride| stride != 32)),
        ];
        if let Some((field, _)) = unknown.iter().find(|(_, set)| *set) {
            return Err(field);
        }
        let padding = match self.pad_type.as_deref() {
            None => variant.padding,
            Some("") => Padding::Half,
            Some("same") => Padding::Same,
            Some(_) => return Err("pad_type"),
        };
        let norm = NormConfig { eps: self.bn_eps.unwrap_or(variant.norm.eps), ..variant.norm };
        Ok(Variant { padding, norm, ..variant })
    }
}

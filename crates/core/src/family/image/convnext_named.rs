//! ConvNeXt and its second version by the names of timm, of torchvision and of their authors.

use serde::Deserialize;
use serde_json::Value;

use super::convnet::{Tensors, UNUSUAL};
use super::convnext::{HUGGING_FACE, HUGGING_FACE_V2, NORM, Shape, WIDER};
use super::mobile::labelled;
use crate::error::Result;
use crate::family::config::Config;
use crate::family::family::{Family, PretrainedConfig};
use crate::nn::{Activation, Dense, HeadConfig, LayerScale, NormConfig, ResponseNorm};
use crate::weights::{Checkpoint, KeyMap, TensorTransform, same, transformed};

pub(in crate::family) const TIMM_CONVNEXT: Family = Family {
    name: "timm-convnext",
    reads: "ConvNeXt (timm)",
    key_map: TIMM,
    matches_config: |config| config.architecture().is_some_and(|a| a.starts_with("convnext_")),
    from_config: timm,
    from_tensors: |checkpoint| told(checkpoint, TIMM, TIMM_NAMES),
    hugging_face: Some(&HUGGING_FACE),
};

pub(in crate::family) const TIMM_CONVNEXT_V2: Family = Family {
    name: "timm-convnextv2",
    reads: "ConvNeXt v2 (timm)",
    matches_config: |config| config.architecture().is_some_and(|a| a.starts_with("convnextv2_")),
    hugging_face: Some(&HUGGING_FACE_V2),
    ..TIMM_CONVNEXT
};

const TIMM: KeyMap = KeyMap {
    name: "timm-convnext",
    prefixes: &[""],
    body: &[
        same("trunk.stages.{}.{}.depthwise", "stages.{}.blocks.{}.conv_dw"),
        same("trunk.stages.{}.{}.norm", "stages.{}.blocks.{}.norm"),
        // Matrices or kernels of 1 × 1.
        transformed(
            "trunk.stages.{}.{}.mlp.up",
            "stages.{}.blocks.{}.mlp.fc1",
            TensorTransform::Pointwise,
        ),
        transformed(
            "trunk.stages.{}.{}.mlp.down",
            "stages.{}.blocks.{}.mlp.fc2",
            TensorTransform::Pointwise,
        ),
        same("trunk.stages.{}.{}.grn", "stages.{}.blocks.{}.mlp.grn"),
        same("trunk.stages.{}.{}.scale", "stages.{}.blocks.{}.gamma"),
        same("trunk.stages.{}.0.downsample.norm", "stages.{}.downsample.0"),
        same("trunk.stages.{}.0.downsample.conv", "stages.{}.downsample.1"),
        same("embed.conv", "stem.0"),
        same("embed.norm", "stem.1"),
    ],
    head: &[
        same("head.norm", "head.norm"),
        same("head.dense", "head.pre_logits.fc"),
        same("head", "head.fc"),
    ],
};

/// The first version and the second.
const TIMM_NAMES: [&str; 2] = ["timm-convnext", "timm-convnextv2"];

pub(in crate::family) const TORCHVISION_CONVNEXT: Family = Family {
    name: "torchvision-convnext",
    reads: "ConvNeXt (torchvision)",
    key_map: TORCHVISION,
    matches_config: |_| false,
    from_config: |config, checkpoint| {
        labelled(config, told(checkpoint, TORCHVISION, ["torchvision-convnext"; 2]))
    },
    from_tensors: |checkpoint| told(checkpoint, TORCHVISION, ["torchvision-convnext"; 2]),
    hugging_face: Some(&HUGGING_FACE),
};

const TORCHVISION: KeyMap = KeyMap {
    name: "torchvision-convnext",
    prefixes: &[""],
    body: &[
        transformed(
            "trunk.stages.{}.{}.scale",
            "features.{2n+1}.{}.layer_scale",
            TensorTransform::Units { before: 0, behind: 2 },
        ),
        same("trunk.stages.{}.{}.depthwise", "features.{2n+1}.{}.block.0"),
        same("trunk.stages.{}.{}.norm", "features.{2n+1}.{}.block.2"),
        same("trunk.stages.{}.{}.mlp.up", "features.{2n+1}.{}.block.3"),
        same("trunk.stages.{}.{}.mlp.down", "features.{2n+1}.{}.block.5"),
        same("trunk.stages.{}.0.downsample.norm", "features.{2n}.0"),
        same("trunk.stages.{}.0.downsample.conv", "features.{2n}.1"),
        same("embed.conv", "features.0.0"),
        same("embed.norm", "features.0.1"),
    ],
    head: &[same("head.norm", "classifier.0"), same("head", "classifier.2")],
};

pub(in crate::family) const AUTHORS_CONVNEXT: Family = Family {
    name: "convnext-authors",
    reads: "ConvNeXt (its authors)",
    key_map: AUTHORS,
    matches_config: |_| false,
    from_config: |config, checkpoint| labelled(config, told(checkpoint, AUTHORS, AUTHORS_NAMES)),
    from_tensors: |checkpoint| told(checkpoint, AUTHORS, AUTHORS_NAMES),
    hugging_face: Some(&HUGGING_FACE),
};

pub(in crate::family) const AUTHORS_CONVNEXT_V2: Family = Family {
    name: "convnextv2-authors",
    reads: "ConvNeXt v2 (its authors)",
    hugging_face: Some(&HUGGING_FACE_V2),
    ..AUTHORS_CONVNEXT
};

const AUTHORS: KeyMap = KeyMap {
    name: "convnext-authors",
    prefixes: &[""],
    body: &[
        same("trunk.stages.{}.{}.depthwise", "stages.{}.{}.dwconv"),
        same("trunk.stages.{}.{}.norm", "stages.{}.{}.norm"),
        same("trunk.stages.{}.{}.mlp.up", "stages.{}.{}.pwconv1"),
        same("trunk.stages.{}.{}.mlp.down", "stages.{}.{}.pwconv2"),
        transformed("trunk.stages.{}.{}.grn.weight", "stages.{}.{}.grn.gamma", RESPONSE),
        transformed("trunk.stages.{}.{}.grn.bias", "stages.{}.{}.grn.beta", RESPONSE),
        same("trunk.stages.{}.{}.scale", "stages.{}.{}.gamma"),
        same("trunk.stages.{}.0.downsample.norm", "downsample_layers.{}.0"),
        same("trunk.stages.{}.0.downsample.conv", "downsample_layers.{}.1"),
        same("embed.conv", "downsample_layers.0.0"),
        same("embed.norm", "downsample_layers.0.1"),
    ],
    head: &[same("head.norm", "norm"), same("head", "head")],
};

const AUTHORS_NAMES: [&str; 2] = ["convnext-authors", "convnextv2-authors"];

const RESPONSE: TensorTransform = TensorTransform::Units { before: 3, behind: 0 };

/// A network as its tensors have it, under the name of the first version or of the second.
fn told(
    checkpoint: &Checkpoint,
    key_map: KeyMap,
    names: [&str; 2],
) -> Result<PretrainedConfig, &'static str> {
    let tensors = Tensors::of(checkpoint, key_map)?;
    let Some(&[first, in_channels, 4, 4]) = tensors.shape("embed.conv.weight") else {
        return Err(UNUSUAL);
    };
    // Another norm, or a second convolution in its place.
    if tensors.shape("embed.norm.bias") != Some(&[first]) {
        return Err(UNUSUAL);
    }
    let width = |i: usize, j: usize| {
        let name = format!("trunk.stages.{i}.{j}.depthwise.weight");
        tensors.shape(&name).and_then(|shape| shape.first().copied())
    };
    let stages = (0..).map_while(|i| {
        let depth = (1..).take_while(|&j| width(i, j).is_some()).count() + 1;
        width(i, 0).map(|width| (depth, width))
    });
    let stages: Vec<(usize, i64)> = stages.collect();
    let of = |leaf: &str| tensors.shape(&format!("trunk.stages.0.0.{leaf}"));
    let (Some(&[_, 1, kernel, _]), Some(&[mlp, ..])) =
        (of("depthwise.weight"), of("mlp.up.weight"))
    else {
        return Err(UNUSUAL);
    };
    let headless = tensors.shape("head.weight").is_none();
    if stages.first().is_none_or(|(_, width)| (*width, WIDER * first) != (first, mlp))
        || !(headless || tensors.shape("head.norm.weight").is_some())
    {
        return Err(UNUSUAL);
    }
    let learned = of("grn.weight").or(of("grn.gamma")).is_some();
    let scaled = of("scale").is_some();
    let dense = tensors.shape("head.dense.weight").and_then(|shape| shape.first().copied());
    let shape = Shape {
        stem: (in_channels, 4),
        stages,
        kernel,
        activation: Activation::Gelu,
        response_norm: if learned { ResponseNorm::Learned } else { ResponseNorm::Without },
        layer_scale: if scaled { LayerScale::Learned } else { LayerScale::Without },
        norm: NORM,
        drop_path: 0.,
        head: HeadConfig {
            norm: Some(NORM.eps),
            dense: dense.map(|width| Dense { width, activation: Activation::Gelu }),
            ..HeadConfig::default()
        },
    };
    Ok(shape.family(names[usize::from(learned)]))
}

/// What timm writes beside a model, where it changes what a model computes, but not its tensors.
#[derive(Deserialize)]
struct TimmConfig {
    model_args: Option<TimmArgs>,
    global_pool: Option<String>,
}

#[derive(Default, Deserialize)]
struct TimmArgs {
    norm_eps: Option<f64>,
    act_layer: Option<Value>,
    norm_layer: Option<Value>,
    output_stride: Option<i64>,
    drop_path_rate: Option<f64>,
}

fn timm(config: &Config, checkpoint: &Checkpoint) -> Result<PretrainedConfig> {
    let timm: TimmConfig = config.parse()?;
    let args = timm.model_args.unwrap_or_default();
    let unknown = [
        ("act_layer", args.act_layer.is_some()),
        ("norm_layer", args.norm_layer.is_some()),
        ("output_stride", args.output_stride.is_some_and(|stride| stride != 32)),
    ];
    if let Some((field, _)) = unknown.iter().find(|(_, set)| *set) {
        return Err(config.refuse(format!("model_args: {field} is set, which is not supported")));
    }
    if let Some(other) = timm.global_pool.as_deref().filter(|pool| *pool != "avg") {
        return Err(config.refuse(format!("its global_pool is {other:?}, expected avg")));
    }
    let mut family = labelled(config, told(checkpoint, TIMM, TIMM_NAMES))?;
    let wide = config.architecture().is_some_and(|a| a.starts_with("convnext_xxlarge"));
    let eps = args.norm_eps.or(wide.then_some(1e-5)).unwrap_or(NORM.eps);
    family.set_norm(NormConfig { eps, ..NORM }, args.drop_path_rate.unwrap_or_default());
    Ok(family)
}

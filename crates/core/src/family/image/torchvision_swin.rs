//! Swin transformers (Liu et al. 2021 and 2022) as torchvision saves them: state dicts alone.

use super::swin::{SWIN_HUGGING_FACE, SWINV2_HUGGING_FACE};
use super::swin_tensors::{WindowSizes, by_tensors};
use crate::family::family::{Family, PretrainedConfig};
use crate::nn::{SwinVersion, WindowPadding};
use crate::weights::{Checkpoint, KeyMap, KeyRule, TensorTransform, joined, same, transformed};

pub(in crate::family) const TORCHVISION_SWIN: Family = Family {
    name: "torchvision-swin",
    reads: "Swin (torchvision)",
    key_map: SWIN_NAMES,
    matches_config: |_| false,
    from_config: |config, checkpoint| v1(checkpoint).map_err(|e| config.refuse(e.into())),
    from_tensors: v1,
    hugging_face: Some(&SWIN_HUGGING_FACE),
};

const SWIN_NAMES: KeyMap =
    KeyMap { name: "torchvision-swin", prefixes: &[""], body: &V1, head: &[same("head", "head")] };

fn v1(checkpoint: &Checkpoint) -> Result<PretrainedConfig, &'static str> {
    let build = (SwinVersion::V1, WindowPadding::BeforeShift);
    by_tensors("torchvision-swin", checkpoint, &SWIN_NAMES, build, &WindowSizes::Tables)
}

pub(in crate::family) const TORCHVISION_SWINV2: Family = Family {
    name: "torchvision-swinv2",
    reads: "Swin v2 (torchvision)",
    key_map: SWINV2_NAMES,
    matches_config: |_| false,
    from_config: |config, checkpoint| v2(checkpoint).map_err(|e| config.refuse(e.into())),
    from_tensors: v2,
    hugging_face: Some(&SWINV2_HUGGING_FACE),
};

const SWINV2_NAMES: KeyMap = KeyMap {
    name: "torchvision-swinv2",
    prefixes: &[""],
    body: &V2,
    head: &[same("head", "head")],
};

fn v2(checkpoint: &Checkpoint) -> Result<PretrainedConfig, &'static str> {
    let build = (SwinVersion::V2, WindowPadding::BeforeShift);
    let windows = WindowSizes::Distances(|stage| {
        format!("features.{}.0.attn.relative_coords_table", 2 * stage + 1)
    });
    by_tensors("torchvision-swinv2", checkpoint, &SWINV2_NAMES, build, &windows)
}

const V1: [KeyRule; 14] = joined(
    &[same(
        "trunk.stages.{}.blocks.{}.attn.position.table",
        "features.{2n+1}.{}.attn.relative_position_bias_table",
    )],
    &BODY,
);

const V2: [KeyRule; 16] = joined(
    &[
        same("trunk.stages.{}.blocks.{}.attn.logit_scale", "features.{2n+1}.{}.attn.logit_scale"),
        same("trunk.stages.{}.blocks.{}.attn.position.hidden", "features.{2n+1}.{}.attn.cpb_mlp.0"),
        same("trunk.stages.{}.blocks.{}.attn.position.out", "features.{2n+1}.{}.attn.cpb_mlp.2"),
    ],
    &BODY,
);

const BODY: [KeyRule; 13] = [
    qkv("trunk.stages.{}.blocks.{}.attn.q", 0),
    // In version 2 its bias is not used there, and not made here.
    qkv("trunk.stages.{}.blocks.{}.attn.k", 1),
    qkv("trunk.stages.{}.blocks.{}.attn.v", 2),
    same("trunk.stages.{}.blocks.{}.attn.out", "features.{2n+1}.{}.attn.proj"),
    same("trunk.stages.{}.blocks.{}.norm1", "features.{2n+1}.{}.norm1"),
    same("trunk.stages.{}.blocks.{}.norm2", "features.{2n+1}.{}.norm2"),
    same("trunk.stages.{}.blocks.{}.mlp.up", "features.{2n+1}.{}.mlp.0"),
    same("trunk.stages.{}.blocks.{}.mlp.down", "features.{2n+1}.{}.mlp.3"),
    same("trunk.stages.{}.merge.norm", "features.{2n+2}.norm"),
    same("trunk.stages.{}.merge.reduce", "features.{2n+2}.reduction"),
    same("trunk.norm", "norm"),
    same("embed.project", "features.0.0"),
    same("embed.norm", "features.0.2"),
];

const fn qkv(ours: &'static str, slice: u8) -> KeyRule {
    transformed(ours, "features.{2n+1}.{}.attn.qkv", TensorTransform::Slice(slice, 3))
}

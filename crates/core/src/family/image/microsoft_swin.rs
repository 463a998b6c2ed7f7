//! Swin transformers (Liu et al. 2021 and 2022) as their authors published them: state dicts alone, with
//! the names that timm took over, but for the place of the merging and the head.

use super::swin::SWIN_HUGGING_FACE;
use super::swin_tensors::{WindowSizes, by_tensors};
use super::timm_swin::{BODY, COSINES, TABLE};
use crate::family::family::{Family, PretrainedConfig, shape};
use crate::nn::{SwinVersion, WindowPadding};
use crate::weights::{Checkpoint, KeyMap, KeyRule, joined, same};

pub(in crate::family) const MICROSOFT_SWIN: Family = Family {
    name: "microsoft-swin",
    reads: "Swin and Swin v2 (their authors)",
    key_map: KEY_MAP,
    matches_config: |_| false,
    from_config: |config, checkpoint| told(checkpoint).map_err(|e| config.refuse(e.into())),
    from_tensors: told,
    // Of version 1.
    hugging_face: Some(&SWIN_HUGGING_FACE),
};

const KEY_MAP: KeyMap = KeyMap {
    name: "microsoft-swin",
    prefixes: &[""],
    body: &joined::<19>(&joined::<8>(&MERGES, &joined::<6>(&[TABLE], &COSINES)), &BODY),
    head: &[same("head", "head")],
};

/// Merging ends a stage, also the first one.
const MERGES: [KeyRule; 2] = [
    same("trunk.stages.{}.merge.reduce", "layers.{}.downsample.reduction"),
    same("trunk.stages.{}.merge.norm", "layers.{}.downsample.norm"),
];

fn told(checkpoint: &Checkpoint) -> Result<PretrainedConfig, &'static str> {
    let cosines = shape(checkpoint, &KEY_MAP, "layers.0.blocks.0.attn.logit_scale").is_some();
    let (version, windows) = match cosines {
        false => (SwinVersion::V1, WindowSizes::Tables),
        true => {
            let name = |stage| format!("layers.{stage}.blocks.0.attn.relative_coords_table");
            (SwinVersion::V2, WindowSizes::Distances(name))
        }
    };
    let build = (version, WindowPadding::BeforeShift);
    by_tensors("microsoft-swin", checkpoint, &KEY_MAP, build, &windows)
}

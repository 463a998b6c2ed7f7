//! Swin transformers (Liu et al. 2021 and 2022) as timm saves them.

use serde::Deserialize;
use serde_json::Value;

use super::swin::{LARGEST, SWIN_HUGGING_FACE, SWINV2_HUGGING_FACE};
use super::swin_tensors::{WindowSizes, by_tensors};
use crate::error::Result;
use crate::family::config::Config;
use crate::family::family::{Family, PretrainedConfig};
use crate::nn::{EmbedderConfig, SwinVersion, TrunkConfig, WindowPadding};
use crate::weights::{KeyMap, KeyRule, TensorTransform, joined, same, transformed};

pub(in crate::family) const TIMM_SWIN: Family = Family {
    name: "timm-swin",
    reads: "Swin (timm)",
    key_map: SWIN_NAMES,
    matches_config: |config| named(config, "swin_"),
    from_config: |config, checkpoint| {
        let timm = Timm::read(config)?;
        let told = by_tensors("timm-swin", checkpoint, &SWIN_NAMES, BUILD, &WindowSizes::Tables);
        timm.complete(config, told)
    },
    from_tensors: |checkpoint| {
        by_tensors("timm-swin", checkpoint, &SWIN_NAMES, BUILD, &WindowSizes::Tables)
    },
    hugging_face: Some(&SWIN_HUGGING_FACE),
};

const BUILD: (SwinVersion, WindowPadding) = (SwinVersion::V1, WindowPadding::AfterShift);

const SWIN_NAMES: KeyMap =
    KeyMap { name: "timm-swin", prefixes: &[""], body: &V1, head: &[same("head", "head.fc")] };

pub(in crate::family) const TIMM_SWINV2: Family = Family {
    name: "timm-swinv2",
    reads: "Swin v2 (timm)",
    key_map: SWINV2_NAMES,
    // `swinv2_cr_tiny_224` and the like have other names and another order.
    matches_config: |config| named(config, "swinv2_") && !named(config, "swinv2_cr_"),
    from_config: |config, checkpoint| {
        let timm = Timm::read(config)?;
        let windows = timm.windows(config)?;
        let told = by_tensors("timm-swinv2", checkpoint, &SWINV2_NAMES, BUILD_V2, &windows);
        timm.complete(config, told)
    },
    from_tensors: |_| Err("the sizes of its windows cannot be told"),
    hugging_face: Some(&SWINV2_HUGGING_FACE),
};

const BUILD_V2: (SwinVersion, WindowPadding) = (SwinVersion::V2, WindowPadding::AfterShift);

const SWINV2_NAMES: KeyMap =
    KeyMap { name: "timm-swinv2", prefixes: &[""], body: &V2, head: &[same("head", "head.fc")] };

const V1: [KeyRule; 14] = joined(&[TABLE], &MERGED);

/// What version 1 alone has.
pub(super) const TABLE: KeyRule = same(
    "trunk.stages.{}.blocks.{}.attn.position.table",
    "layers.{}.blocks.{}.attn.relative_position_bias_table",
);

const V2: [KeyRule; 18] = joined(&COSINES, &MERGED);

/// What version 2 alone has.
pub(super) const COSINES: [KeyRule; 5] = [
    same("trunk.stages.{}.blocks.{}.attn.logit_scale", "layers.{}.blocks.{}.attn.logit_scale"),
    same("trunk.stages.{}.blocks.{}.attn.position.hidden", "layers.{}.blocks.{}.attn.cpb_mlp.0"),
    same("trunk.stages.{}.blocks.{}.attn.position.out", "layers.{}.blocks.{}.attn.cpb_mlp.2"),
    same("trunk.stages.{}.blocks.{}.attn.q.bias", "layers.{}.blocks.{}.attn.q_bias"),
    same("trunk.stages.{}.blocks.{}.attn.v.bias", "layers.{}.blocks.{}.attn.v_bias"),
];

/// Merging begins a stage in timm, and ends the one before here.
const MERGED: [KeyRule; 13] = joined(
    &BODY,
    &[
        same("trunk.stages.{}.merge.norm", "layers.{+1}.downsample.norm"),
        same("trunk.stages.{}.merge.reduce", "layers.{+1}.downsample.reduction"),
    ],
);

pub(super) const BODY: [KeyRule; 11] = [
    qkv("trunk.stages.{}.blocks.{}.attn.q", 0),
    qkv("trunk.stages.{}.blocks.{}.attn.k", 1),
    qkv("trunk.stages.{}.blocks.{}.attn.v", 2),
    same("trunk.stages.{}.blocks.{}.attn.out", "layers.{}.blocks.{}.attn.proj"),
    same("trunk.stages.{}.blocks.{}.norm1", "layers.{}.blocks.{}.norm1"),
    same("trunk.stages.{}.blocks.{}.norm2", "layers.{}.blocks.{}.norm2"),
    same("trunk.stages.{}.blocks.{}.mlp.up", "layers.{}.blocks.{}.mlp.fc1"),
    same("trunk.stages.{}.blocks.{}.mlp.down", "layers.{}.blocks.{}.mlp.fc2"),
    same("trunk.norm", "norm"),
    same("embed.project", "patch_embed.proj"),
    same("embed.norm", "patch_embed.norm"),
];

const fn qkv(ours: &'static str, slice: u8) -> KeyRule {
    transformed(ours, "layers.{}.blocks.{}.attn.qkv", TensorTransform::Slice(slice, 3))
}

fn named(config: &Config, start: &str) -> bool {
    config.architecture().is_some_and(|name| name.starts_with(start))
}

/// What timm writes beside a model.
#[derive(Deserialize)]
struct Timm {
    global_pool: Option<String>,
    #[serde(default)]
    model_args: Args,
    #[serde(default)]
    pretrained_cfg: Published,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Args {
    img_size: Option<Sides>,
    window_size: Option<Sides>,
    pretrained_window_sizes: Option<Vec<i64>>,
    always_partition: bool,
    drop_path_rate: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Published {
    /// Channels, rows, columns.
    input_size: Option<[i64; 3]>,
}

/// One number for both sides, two, or one for each stage.
#[derive(Clone, Deserialize)]
#[serde(untagged, expecting = "expected a number or several")]
enum Sides {
    Both(i64),
    Each([i64; 2]),
    OfStages(Vec<Value>),
}

impl Timm {
    fn read(config: &Config) -> Result<Self> {
        let timm: Self = config.parse()?;
        if let Some(other) = timm.global_pool.as_deref().filter(|pool| *pool != "avg") {
            return Err(config.refuse(format!("its global_pool is {other:?}, expected avg")));
        }
        if timm.model_args.always_partition {
            return Err(config.refuse("always_partition is true, which is not supported".into()));
        }
        Ok(timm)
    }

    /// The side of its pictures, in pixels.
    fn side(&self, config: &Config) -> Result<Option<i64>> {
        let published = self.pretrained_cfg.input_size.map(|[_, h, w]| Sides::Each([h, w]));
        let made = self.model_args.img_size.clone();
        made.or(published).map(|sides| square(config, "img_size", sides)).transpose()
    }

    /// The windows of version 2, which no tensor tells: the name does, `window12to16`, unless the
    /// model was made with others.
    fn windows(&self, config: &Config) -> Result<WindowSizes> {
        let name = config.architecture().unwrap_or_default();
        let (before, now) = name_windows(name);
        let asked = self.model_args.window_size.clone();
        let asked = asked.map(|sides| square(config, "window_size", sides)).transpose()?;
        let (Some(window), Some(side)) = (asked.or(now), self.side(config)?) else {
            let problem = "neither its name nor its model_args tell the size of its windows";
            return Err(config.refuse(problem.into()));
        };
        let pretrained = match (&self.model_args.pretrained_window_sizes, before) {
            (Some(sizes), _) => sizes.clone(),
            // The last stage was one window then.
            (None, Some(n)) => vec![n, n, n, n / 2],
            (None, None) => vec![],
        };
        Ok(WindowSizes::Most { window, side, pretrained })
    }

    /// What the tensors tell, with what stands here.
    fn complete(
        &self,
        config: &Config,
        told: Result<PretrainedConfig, &'static str>,
    ) -> Result<PretrainedConfig> {
        let mut family = told.map_err(|e| config.refuse(e.into()))?;
        family.head.labels = config.labels()?;
        if let EmbedderConfig::PatchMap(patches) = &mut family.embedder
            && let Some(side) = self.side(config)?
        {
            patches.size = [side; 2];
        }
        if let TrunkConfig::Swin(trunk) = &mut family.trunk {
            trunk.drop_path = self.model_args.drop_path_rate.unwrap_or(trunk.drop_path);
        }
        Ok(family)
    }
}

fn square(config: &Config, field: &str, sides: Sides) -> Result<i64> {
    match sides {
        Sides::Both(n) | Sides::Each([n, _]) if !(1..=LARGEST).contains(&n) => {
            Err(config.refuse(format!("{field} is {n}, expected 1 to {LARGEST}")))
        }
        Sides::Both(side) => Ok(side),
        Sides::Each([a, b]) if a == b => Ok(a),
        Sides::OfStages(sizes) => {
            let sizes = Value::Array(sizes);
            Err(config.refuse(format!("{field} is {sizes}, of which only one is supported")))
        }
        Sides::Each([a, b]) => {
            let problem = format!("{field} is {a} × {b}, of which only squares are supported");
            Err(config.refuse(problem))
        }
    }
}

/// The sizes of windows in a name, of an earlier training and of this: `window12to16_192to256`.
fn name_windows(name: &str) -> (Option<i64>, Option<i64>) {
    let numbers = name.split("window").nth(1).and_then(|rest| rest.split('_').next());
    let mut numbers = numbers.unwrap_or_default().split("to").map(|n| n.parse().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (before, Some(now)) => (before, Some(now)),
        (now, None) => (None, now),
    }
}

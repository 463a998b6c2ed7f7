//! A Swin transformer told from its tensors, by our names for them.

use super::swin::{LARGEST, family};
use crate::family::defaults;
use crate::family::family::{PretrainedConfig, shape};
use crate::nn::{
    Activation, Bias, PatchMapConfig, SwinConfig, SwinStage, SwinVersion, WindowPadding,
};
use crate::weights::{Checkpoint, KeyMap, WeightSource};

/// What tells the sizes of windows.
pub(in crate::family) enum WindowSizes {
    /// The tables of biases.
    Tables,
    /// The tables of distances, by this name in each stage.
    Distances(fn(usize) -> String),
    /// They are this large, or as large as a stage's map where that is smaller, for pictures of this
    /// side; and in an earlier training so large.
    Most { window: i64, side: i64, pretrained: Vec<i64> },
}

/// The model as its tensors have it. The last stage's map is one window, unless pictures are known to
/// be of another size.
pub(in crate::family) fn by_tensors(
    name: &str,
    checkpoint: &Checkpoint,
    key_map: &KeyMap,
    (version, padding): (SwinVersion, WindowPadding),
    windows: &WindowSizes,
) -> Result<PretrainedConfig, &'static str> {
    const UNUSUAL: &str = "a Swin transformer of this build is not supported (other shapes)";
    let source = WeightSource::new(checkpoint, *key_map).map_err(|_| UNUSUAL)?;
    let ours = |name: &str| source.shape(name);
    let Some(&[width, channels, rows, columns]) = ours("embed.project.weight") else {
        return Err(UNUSUAL);
    };
    if width < 1 || rows < 1 || columns != rows {
        return Err(UNUSUAL);
    }
    let stage = |i: usize| {
        let block = |j: usize, leaf: &str| ours(&format!("trunk.stages.{i}.blocks.{j}.{leaf}"));
        block(0, "norm1.weight")?;
        let blocks = (0..).take_while(|&j| block(j, "norm1.weight").is_some()).count();
        let heads = match version {
            SwinVersion::V1 => *block(0, "attn.position.table")?.get(1)?,
            SwinVersion::V2 => *block(0, "attn.logit_scale")?.first()?,
        };
        let (window, pretrained_window) = match windows {
            WindowSizes::Tables => (side_of(*block(0, "attn.position.table")?.first()?)?, 0),
            WindowSizes::Distances(name) => {
                let window = (*shape(checkpoint, key_map, &name(i))?.get(1)?).checked_add(1)? / 2;
                (window, earlier(checkpoint, key_map, &name(i), window)?)
            }
            WindowSizes::Most { window, side, pretrained } => {
                // Of an odd side, half is rounded up.
                let half = |n: i64, _| (n + 1) / 2;
                let map = (0..i).fold((side / rows).max(1), half);
                ((*window).min(map), pretrained.get(i).copied().unwrap_or(0))
            }
        };
        Some(SwinStage { blocks, heads, window, pretrained_window })
    };
    let stages: Vec<_> = (0..).map_while(stage).collect();
    let first = |leaf: &str| ours(&format!("trunk.stages.0.blocks.0.{leaf}"));
    let (Some(last), Some(&[mlp, _])) = (stages.last(), first("mlp.up.weight")) else {
        return Err(UNUSUAL);
    };
    let side = (last.window.saturating_mul(rows)).saturating_mul(1 << (stages.len() - 1).min(32));
    if side > LARGEST {
        return Err(UNUSUAL);
    }
    let patches = PatchMapConfig {
        channels,
        size: [side; 2],
        patch: [rows; 2],
        stride: [rows; 2],
        eps: Some(defaults::usual_eps()),
        dropout: 0.,
    };
    let trunk = SwinConfig {
        width,
        version,
        mlp_ratio: ratio(mlp as f64, width as f64),
        activation: Activation::Gelu,
        qkv_bias: if first("attn.q.bias").is_some() { Bias::With } else { Bias::Without },
        padding,
        eps: defaults::usual_eps(),
        dropout: 0.,
        drop_path: 0.1,
        stages,
    };
    Ok(family(name, trunk, patches))
}

/// What `width` is multiplied by to make `mlp`, also where the product is rounded.
fn ratio(mlp: f64, width: f64) -> f64 {
    let ratio = mlp / width;
    if ratio * width < mlp { ratio.next_up() } else { ratio }
}

/// The side of a window in an earlier training, by which the distances in a table of this name are
/// measured; 0: it is `window`, this one's.
fn earlier(checkpoint: &Checkpoint, key_map: &KeyMap, name: &str, window: i64) -> Option<i64> {
    let prefix = key_map.prefix(checkpoint.entries().map(|(name, _)| name)).ok()??;
    let table = checkpoint.read_tensor(&format!("{}{}{name}", prefix.wrapper, prefix.body)).ok()?;
    // The logarithm of 1 and 8 times the longest distance, over that of the earlier longest one.
    let furthest = (3. * table.f_max().ok()?.double_value(&[])).exp2() - 1.;
    let longest = 8. * (window - 1) as f64 / furthest;
    let side = (longest.round() as i64).saturating_add(1);
    Some(if window < 2 || side == window { 0 } else { side })
}

/// The side of a window with a bias for each of `rows` distances.
fn side_of(rows: i64) -> Option<i64> {
    let count = (rows.max(0) as f64).sqrt().round() as i64;
    (count % 2 == 1 && count.checked_mul(count) == Some(rows)).then_some((count + 1) / 2)
}

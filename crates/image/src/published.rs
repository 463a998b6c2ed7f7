//! How the publisher of a pretrained model prepares pictures: `preprocessor_config.json` of
//! transformers, `config.json` of timm, or what is usual in the family.

use std::path::Path;

use crosstune_core::{
    Error, Pretrained, PretrainedEmbedder, Result, StemPool,
    checkpoint::{CONFIG, PREPROCESSOR},
    run::read_json,
};
use serde::Deserialize;

use crate::{Channels, Geometry, Scale};

/// The preparation of pictures for a pretrained model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Published {
    /// How the model's input is laid out.
    pub(crate) geometry: Geometry,
    /// For as many channels as the model takes.
    pub(crate) scale: Scale,
}

impl Published {
    /// What is published beside a model of pictures.
    ///
    /// # Errors
    /// If a file is broken or asks for what is not supported.
    pub(crate) fn of(source: &Pretrained) -> Result<Self> {
        let usual = Self::usual(source);
        let folder = source.checkpoint().folder();
        let (transformers, timm) = (folder.join(PREPROCESSOR), folder.join(CONFIG));
        if transformers.is_file() {
            read_json::<Processor>(&transformers)?.published(usual, &transformers)
        } else if timm.is_file() {
            let whole = matches!(source.family().embedder, PretrainedEmbedder::Planes(_));
            read_json::<Timm>(&timm)?.config().published(usual, whole, &timm)
        } else {
            Ok(usual)
        }
    }

    /// What the models of the family are trained with if nobody says otherwise.
    fn usual(source: &Pretrained) -> Self {
        let family = source.family();
        let side = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
        let (takes, size, resize, patch) = match &family.embedder {
            PretrainedEmbedder::Patches(c) => {
                (c.channels, side(c.size[0]), side(c.size[0]), Some(side(c.patch[0])))
            }
            PretrainedEmbedder::Planes(c) if c.pool == StemPool::Without => {
                (c.channels, 32, 32, None)
            }
            PretrainedEmbedder::Planes(c) => (c.channels, 224, 256, None),
            _ => (3, 224, 224, None),
        };
        let scale = match family.name.as_str() {
            "vit" | "timm-vit" => Scale::halves(3),
            _ => Scale::imagenet(),
        };
        let channels = if takes == 1 { Channels::Grey } else { Channels::Rgb };
        let scale = scale.of_channels(usize::try_from(takes).unwrap_or_default());
        Self { geometry: Geometry { size, resize, patch, channels }, scale }
    }

    /// The same for another size, to which a side of `resize` is cut.
    fn sized(mut self, size: u32, resize: u32) -> Self {
        self.geometry = Geometry { size, resize, ..self.geometry };
        self
    }

    /// Puts means and deviations in the place of the usual ones; one number serves all channels.
    fn scaled(
        mut self,
        mean: Option<Vec<f32>>,
        deviation: Option<Vec<f32>>,
        path: &Path,
    ) -> Result<Self> {
        let channels = self.scale.mean.len();
        let spread = |values: Vec<f32>| match values.as_slice() {
            &[one] => vec![one; channels],
            _ => values,
        };
        let Scale { mean: usual_mean, deviation: usual_deviation } = self.scale;
        self.scale = Scale {
            mean: mean.map_or(usual_mean, spread),
            deviation: deviation.map_or(usual_deviation, spread),
        };
        match self.scale.problem(channels) {
            Some((what, problem)) => Err(malformed(path, format!("{what}: {problem}"))),
            None => Ok(self),
        }
    }
}

fn malformed(path: &Path, problem: String) -> Error {
    Error::Malformed { path: path.to_path_buf(), problem }
}

/// What of an image processor of transformers matters.
#[derive(Debug, Default, Deserialize)]
struct Processor {
    size: Option<Size>,
    crop_size: Option<Size>,
    do_center_crop: Option<bool>,
    /// The share of the scaled picture that is cut out.
    crop_pct: Option<f64>,
    do_rescale: Option<bool>,
    rescale_factor: Option<f64>,
    do_normalize: Option<bool>,
    image_mean: Option<Vec<f32>>,
    image_std: Option<Vec<f32>>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a size as a number, as {\"shortest_edge\"} or as {\"height\", \"width\"}"
)]
enum Size {
    Side(u32),
    Shortest { shortest_edge: u32 },
    Sides { height: u32, width: u32 },
}

impl Size {
    fn side(self, path: &Path) -> Result<u32> {
        match self {
            Self::Sides { height, width } if height != width => Err(malformed(
                path,
                format!("pictures of {height} × {width} pixels are not supported, only squares"),
            )),
            Self::Side(0) | Self::Shortest { shortest_edge: 0 } | Self::Sides { height: 0, .. } => {
                Err(malformed(path, "a size of 0 pixels".into()))
            }
            Self::Side(side)
            | Self::Shortest { shortest_edge: side }
            | Self::Sides { height: side, .. } => Ok(side),
        }
    }
}

/// From here on, models with a `crop_pct` see the whole picture (ConvNeXt, whose processor ResNets
/// have).
const WHOLE: u32 = 384;

impl Processor {
    fn published(self, usual: Published, path: &Path) -> Result<Published> {
        let side = |size: Option<Size>| size.map(|size| size.side(path)).transpose();
        let crop = side(self.crop_size.filter(|_| self.do_center_crop != Some(false)))?;
        let (size, resize) = match (side(self.size)?, crop) {
            (None, None) => (usual.geometry.size, usual.geometry.resize),
            (Some(edge), Some(crop)) => (crop, edge.max(crop)),
            (None, Some(crop)) => (crop, crop),
            (Some(edge), None) => (edge, cut(edge, self.crop_pct.filter(|_| edge < WHOLE), path)?),
        };
        // Ours is a scale of 0 to 1, whatever pixels are multiplied by.
        let factor = match (self.do_rescale, self.rescale_factor) {
            (Some(false), _) => 1.,
            (_, factor) => factor.unwrap_or(1. / 255.),
        };
        let (mean, deviation) = match self.do_normalize {
            Some(false) => (Some(vec![0.]), Some(vec![1.])),
            _ => (self.image_mean, self.image_std),
        };
        let ours = |values: Option<Vec<f32>>| {
            let ours = |v: f32| (f64::from(v) / (255. * factor)) as f32;
            values.map(|values| values.into_iter().map(ours).collect())
        };
        usual.sized(size, resize).scaled(ours(mean), ours(deviation), path)
    }
}

/// The side of which `share` is `size`.
fn cut(size: u32, share: Option<f64>, path: &Path) -> Result<u32> {
    match share {
        None => Ok(size),
        Some(share) if share > 0. && share <= 1. => Ok((f64::from(size) / share) as u32),
        Some(share) => Err(malformed(path, format!("crop_pct is {share}, expected 0 to 1"))),
    }
}

/// timm's `config.json`: older ones have all on one level.
#[derive(Debug, Deserialize)]
struct Timm {
    pretrained_cfg: Option<TimmConfig>,
    #[serde(flatten)]
    flat: TimmConfig,
}

#[derive(Debug, Deserialize)]
struct TimmConfig {
    /// Channels, rows, columns.
    input_size: Option<[u32; 3]>,
    crop_pct: Option<f64>,
    mean: Option<Vec<f32>>,
    std: Option<Vec<f32>>,
}

impl Timm {
    fn config(self) -> TimmConfig {
        self.pretrained_cfg.unwrap_or(self.flat)
    }
}

impl TimmConfig {
    /// `whole`: the model's tensors do not tell the size of its input.
    fn published(self, usual: Published, whole: bool, path: &Path) -> Result<Published> {
        let size = match self.input_size {
            Some([_, rows, columns]) if whole => {
                Size::Sides { height: rows, width: columns }.side(path)?
            }
            _ => usual.geometry.size,
        };
        let resize = match self.crop_pct {
            None if size == usual.geometry.size => usual.geometry.resize,
            share => cut(size, share, path)?,
        };
        usual.sized(size, resize).scaled(self.mean, self.std, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usual() -> Published {
        let (patch, channels) = (None, Channels::Rgb);
        let geometry = Geometry { size: 224, resize: 256, patch, channels };
        Published { geometry, scale: Scale::halves(3) }
    }

    /// The size, the side before, and the scale of the first channel.
    fn read(json: &str) -> Result<(u32, u32, f32, f32)> {
        let processor: Processor = serde_json::from_str(json).unwrap();
        let Published { geometry, scale } = processor.published(usual(), Path::new("p"))?;
        Ok((geometry.size, geometry.resize, scale.mean[0], scale.deviation[0]))
    }

    #[test]
    fn processors_of_transformers_are_read() {
        for (json, expected) in [
            ("{}", (224, 256, 0.5, 0.5)),
            (
                r#"{"size": 384, "image_mean": [0.25, 0, 0], "image_std": [0.125, 1, 1]}"#,
                (384, 384, 0.25, 0.125),
            ),
            (r#"{"size": {"height": 96, "width": 96}, "crop_size": null}"#, (96, 96, 0.5, 0.5)),
            (
                r#"{"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}}"#,
                (224, 256, 0.5, 0.5),
            ),
            (r#"{"size": 256, "crop_size": 224, "do_center_crop": false}"#, (256, 256, 0.5, 0.5)),
            (r#"{"size": 224, "crop_pct": 0.875}"#, (224, 256, 0.5, 0.5)),
            (r#"{"size": 384, "crop_pct": 0.875}"#, (384, 384, 0.5, 0.5)),
            (r#"{"do_normalize": false}"#, (224, 256, 0., 1.)),
            (
                r#"{"do_rescale": false, "image_mean": [51], "image_std": [102]}"#,
                (224, 256, 0.2, 0.4),
            ),
            (r#"{"rescale_factor": 0.00784313725490196}"#, (224, 256, 0.5, 0.5)),
            (
                r#"{"rescale_factor": 0.00784313725490196, "image_mean": [1], "image_std": [1]}"#,
                (224, 256, 0.5, 0.5),
            ),
        ] {
            assert_eq!(read(json).unwrap(), expected, "{json}");
        }
    }

    #[test]
    fn what_is_not_supported_is_named() {
        for (json, problem) in [
            (r#"{"size": {"height": 96, "width": 64}}"#, "96 × 64 pixels are not supported"),
            (r#"{"size": 0}"#, "a size of 0 pixels"),
            (r#"{"size": 9, "crop_pct": 2}"#, "crop_pct is 2, expected 0 to 1"),
            (r#"{"image_mean": [0, 0]}"#, "2 means and 3 deviations for 3 channels"),
            (r#"{"image_std": [1, 0, 1]}"#, "0 is not a positive number"),
        ] {
            let error = read(json).unwrap_err().to_string();
            assert!(error.starts_with("p: ") && error.contains(problem), "{error}");
        }
        let longest = serde_json::from_str::<Processor>(r#"{"size": {"longest_edge": 9}}"#);
        assert!(longest.unwrap_err().to_string().contains("expected a size as a number"));
    }

    #[test]
    fn configs_of_timm_are_read() {
        let inner = r#"{"input_size": [3, 288, 288], "crop_pct": 0.9, "mean": [0, 0.5, 1], "std": [1, 1, 1]}"#;
        for (json, whole, expected) in [
            (format!(r#"{{"pretrained_cfg": {inner}}}"#), true, (288, 320)),
            (inner.to_string(), true, (288, 320)),
            (inner.to_string(), false, (224, 248)),
            ("{}".into(), true, (224, 256)),
        ] {
            let timm: Timm = serde_json::from_str(&json).unwrap();
            let got = timm.config().published(usual(), whole, Path::new("p")).unwrap();
            assert_eq!((got.geometry.size, got.geometry.resize), expected, "{json} {whole}");
            assert_eq!(got.scale.mean[0] == 0., json != "{}");
        }
    }
}

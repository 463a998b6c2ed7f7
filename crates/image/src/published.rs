//! How the publisher of a pretrained model prepares pictures: `preprocessor_config.json` of
//! transformers, `config.json` of timm, or what is usual in the family.

use std::path::Path;

use crosstune_core::{
    EmbedderConfig, Error, Pretrained, PretrainedConfig, Result, TrunkConfig,
    checkpoint::{CONFIG, PREPROCESSOR},
    files::{is_there, read_json},
};
use serde::Deserialize;

use crate::{
    documented::documented,
    geometry::{CropMode, Geometry, Margin},
    picture::Channels,
    resample::Resample,
    scale::Normalization,
};

/// The preparation of pictures for a pretrained model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Published {
    /// How the model's input is laid out.
    pub(crate) geometry: Geometry,
    /// For as many channels as the model takes.
    pub(crate) scale: Normalization,
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
        if is_there(&transformers) {
            read_json::<Processor>(&transformers)?.published(usual, &transformers)
        } else if is_there(&timm) {
            let whole = matches!(source.config().embedder, EmbedderConfig::Stem(_));
            read_json::<Timm>(&timm)?.config().published(usual, whole, &timm)
        } else {
            Ok(usual)
        }
    }

    /// The usual preprocessing of the family.
    fn usual(source: &Pretrained) -> Self {
        let family = source.config();
        let side = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
        let (takes, size, resize, patch) = match &family.embedder {
            EmbedderConfig::Patches(c) => {
                (c.channels, side(c.size[0]), side(c.size[0]), Some(side(c.patch[0])))
            }
            EmbedderConfig::PatchMap(c) => {
                let resize = cropped_from(family, side(c.size[0]));
                (c.channels, side(c.size[0]), resize, Some(side(c.patch[0])))
            }
            EmbedderConfig::Stem(c) if c.stride == 1 => (c.in_channels, 32, 32, None),
            EmbedderConfig::Stem(c) => (c.in_channels, 224, 256, None),
            _ => (3, 224, 224, None),
        };
        let (scale, resample) = match family.name.as_str() {
            "vit" => (Normalization::halves(3), Resample::Bilinear),
            "timm-vit" | "siglip" | "beit" | "data2vec-vision" => {
                (Normalization::halves(3), Resample::Bicubic)
            }
            "bit" => (Normalization::halves(3), Resample::Bilinear),
            "clip" => (Normalization::clip(), Resample::Bicubic),
            name if name.starts_with("dinov2") || name.contains("swin") => {
                (Normalization::imagenet(), Resample::Bicubic)
            }
            _ => (Normalization::imagenet(), Resample::Bilinear),
        };
        let (size, resize, resample, scale) = match documented(family) {
            Some(known) => (known.sides[0], known.sides[1], known.resample, known.scale),
            None => (size, resize, resample, scale),
        };
        let channels = if takes == 1 { Channels::Grey } else { Channels::Rgb };
        let scale = scale.of_channels(usize::try_from(takes).unwrap_or_default());
        let geometry = Geometry { resample, ..Geometry::new(size, resize, patch, channels) };
        Self { geometry, scale }
    }

    /// The same for another size, cropped from a side of `resize`.
    fn sized(mut self, size: u32, resize: u32, crop_mode: CropMode) -> Self {
        self.geometry = Geometry { size, resize, crop_mode, ..self.geometry };
        self
    }

    /// Replaces the usual means and standard deviations; one number serves all channels.
    fn scaled(
        mut self,
        mean: Option<Vec<f32>>,
        std: Option<Vec<f32>>,
        path: &Path,
    ) -> Result<Self> {
        let channels = self.scale.mean.len();
        let spread = |values: Vec<f32>| match values.as_slice() {
            &[one] => vec![one; channels],
            _ => values,
        };
        let Normalization { mean: usual_mean, std: usual_std } = self.scale;
        self.scale = Normalization {
            mean: mean.map_or(usual_mean, spread),
            std: std.map_or(usual_std, spread),
        };
        match self.scale.problem(channels) {
            Some((what, problem)) => Err(malformed(path, format!("{what}: {problem}"))),
            None => Ok(self),
        }
    }
}

/// The side that pictures are scaled to before the crop: torchvision has one for each size of Swin,
/// and with timm a crop is nine tenths.
fn cropped_from(family: &PretrainedConfig, size: u32) -> u32 {
    let TrunkConfig::Swin(trunk) = &family.trunk else { return size };
    let deep = trunk.stages.iter().any(|stage| stage.blocks > 6);
    match (family.name.as_str(), trunk.width > 96, deep) {
        ("torchvision-swin", true, _) => size + 14,
        ("torchvision-swin", _, true) => size + 22,
        ("torchvision-swin", _, false) => size + 8,
        ("torchvision-swinv2", true, _) => size + 16,
        ("torchvision-swinv2", _, _) => size + 4,
        ("timm-swin" | "timm-swinv2", _, _) => (f64::from(size) / 0.9) as u32,
        _ => size,
    }
}

fn malformed(path: &Path, problem: String) -> Error {
    Error::Malformed { path: path.to_path_buf(), problem }
}

/// What of an image processor of transformers matters.
#[derive(Debug, Default, Deserialize)]
struct Processor {
    /// The class; older files have the second name.
    #[serde(alias = "feature_extractor_type")]
    image_processor_type: Option<String>,
    size: Option<Size>,
    crop_size: Option<Size>,
    do_center_crop: Option<bool>,
    /// The fraction of the scaled picture that is cropped.
    crop_pct: Option<f64>,
    /// Pillow's number of the filter.
    resample: Option<u64>,
    do_rescale: Option<bool>,
    rescale_factor: Option<f64>,
    /// Whether 1 is subtracted from what was rescaled: EfficientNet's.
    rescale_offset: Option<bool>,
    /// Whether it is divided by the standard deviation once more: EfficientNet's, unless told.
    include_top: Option<bool>,
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

/// From here on, models with a `crop_pct` see the whole picture, squashed (ConvNeXT, whose processor
/// ResNets have).
const WHOLE: u32 = 384;

/// The processors for which a size that is one number is the shorter side's, where for all others it
/// is that of both.
const BY_SHORTER_SIDE: [&str; 8] =
    ["Bit", "CLIP", "ChineseCLIP", "ConvNext", "Levit", "MobileNet", "MobileViT", "PoolFormer"];

impl Processor {
    fn published(self, usual: Published, path: &Path) -> Result<Published> {
        let side = |size: Option<Size>| size.map(|size| size.side(path)).transpose();
        let crop = side(self.crop_size.filter(|_| self.do_center_crop != Some(false)))?;
        let (crop_mode, divided_twice) = (self.fit(), self.divides_twice());
        let (size, resize, crop_mode) = match (side(self.size)?, crop) {
            (None, None) => (usual.geometry.size, usual.geometry.resize, usual.geometry.crop_mode),
            (Some(edge), Some(crop)) => (crop, edge.max(crop), crop_mode),
            (None, Some(crop)) => (crop, crop, crop_mode),
            (Some(edge), None) if self.crop_pct.is_some() && edge >= WHOLE => {
                (edge, edge, CropMode::Squash)
            }
            (Some(edge), None) => (edge, cut(edge, self.crop_pct, path)?, crop_mode),
        };
        let resample = match self.resample {
            None => usual.geometry.resample,
            Some(number) => Resample::of_number(number).ok_or_else(|| {
                let known =
                    Resample::ALL.map(|filter| format!("{} ({})", filter.number(), filter.name()));
                let known = known.join(", ");
                malformed(path, format!("a resample of {number} is not supported, only {known}"))
            })?,
        };
        // Ours is a scale of 0 to 1, whatever pixels are multiplied by.
        let factor = match (self.do_rescale, self.rescale_factor) {
            (Some(false), _) => 1.,
            (_, factor) => factor.unwrap_or(1. / 255.),
        };
        let squared = |std: Vec<f32>| std.into_iter().map(|std| std * std).collect();
        let (mean, std) = match (self.do_normalize, divided_twice) {
            (Some(false), false) => (Some(vec![0.]), Some(vec![1.])),
            (Some(false), true) => (Some(vec![0.]), self.image_std),
            (_, false) => (self.image_mean, self.image_std),
            (_, true) => (self.image_mean, self.image_std.map(squared)),
        };
        let mean = match mean {
            Some(mean) if self.rescale_offset == Some(true) => {
                Some(mean.into_iter().map(|mean| mean + 1.).collect())
            }
            mean => mean,
        };
        let ours = |values: Option<Vec<f32>>| {
            let ours = |v: f32| (f64::from(v) / (255. * factor)) as f32;
            values.map(|values| values.into_iter().map(ours).collect())
        };
        let mut published = usual.sized(size, resize, crop_mode);
        published.geometry.resample = resample;
        published.geometry.margin = Margin::Down;
        published.scaled(ours(mean), ours(std), path)
    }

    /// Whether normalised pixels are divided by the standard deviation a second time.
    fn divides_twice(&self) -> bool {
        let class = self.image_processor_type.as_deref().unwrap_or_default();
        self.include_top.unwrap_or(class.starts_with("EfficientNet"))
    }

    /// What the size is the size of.
    fn fit(&self) -> CropMode {
        let class = self.image_processor_type.as_deref().unwrap_or_default();
        match self.size {
            Some(Size::Sides { .. }) => CropMode::Squash,
            Some(Size::Side(_))
                if self.crop_pct.is_none()
                    && !BY_SHORTER_SIDE.iter().any(|name| class.starts_with(name)) =>
            {
                CropMode::Squash
            }
            _ => CropMode::Crop,
        }
    }
}

/// The side of which `fraction` is `size`.
fn cut(size: u32, fraction: Option<f64>, path: &Path) -> Result<u32> {
    match fraction {
        None => Ok(size),
        Some(f) if f > 0. && f <= 1. => Ok((f64::from(size) / f) as u32),
        Some(f) => Err(malformed(path, format!("crop_pct is {f}, expected 0 to 1"))),
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
    crop_mode: Option<String>,
    interpolation: Option<String>,
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
            fraction => cut(size, fraction, path)?,
        };
        let crop_mode = match self.crop_mode.as_deref() {
            None | Some("center") => CropMode::Crop,
            Some("squash") => CropMode::Squash,
            Some(mode) => {
                let problem = format!("the crop_mode `{mode}` is not supported: center or squash");
                return Err(malformed(path, problem));
            }
        };
        let mut published = usual.sized(size, resize, crop_mode);
        if let Some(name) = self.interpolation {
            // Models that were trained with several filters get bilinear.
            let name = if name == "random" { "bilinear" } else { &name };
            published.geometry.resample = Resample::of_name(name).ok_or_else(|| {
                let names = Resample::ALL.map(Resample::name).join(", ");
                malformed(path, format!("the interpolation `{name}` is not one of {names}"))
            })?;
        }
        published.scaled(self.mean, self.std, path)
    }
}

#[cfg(test)]
mod tests;

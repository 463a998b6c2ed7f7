//! The settings of pictures: how a picture file becomes the input of a model.

use std::path::Path;

use crosstune_core::{
    Batch, BoxError, Embedder, EmbedderConfig, Error, FeatureShape, Input, Modality, Moments,
    Origin, Pretrained, Preview, Result, Rng, Task, VarBuilder, checkpoint::PREPROCESSOR,
    files::write_json,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tch::{Device, Kind, TchError, Tensor};

use crate::{
    augment::Augment,
    embed::EmbedderSource,
    geometry::{CropMode, Geometry},
    options::{ImageOptions, LARGEST, Seen, Taken},
    picture::{Background, Channels, Header, Picture, PictureError},
    published::Published,
    resize,
    scale::Normalization,
};

/// How pictures become tensors: decoded, brought to one size, and normalised. Image models bring
/// their own preprocessing; for others it follows the training set.
///
/// A sample is `[C, size, size]`, u8, of a line of text `[C, size, line_width]`; a batch
/// `[B, C, size, size]`, f32, with a mean of 0 and a
/// standard deviation of 1 in each channel, over the pictures that were measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "Saved", try_from = "Saved")]
pub struct ImageSettings {
    asked: ImageOptions,
    embedder_source: EmbedderSource,
    geometry: Geometry,
    scale: Normalization,
    background: Background,
    augment: Augment,
}

/// The most pictures in a survey; they are spread evenly over the training set.
const SURVEYED: usize = 256;

impl ImageSettings {
    /// Settings in which the options left open follow the source or the training set.
    ///
    /// # Errors
    /// As [`ImageOptions::validate`].
    pub fn new(asked: ImageOptions) -> Result<Self> {
        ImageOptions { lines: asked.lines || asked.line_width.is_some(), ..asked }.validate()?;
        Ok(Self::fresh(asked, Taken::InPatches))
    }

    /// For a trunk that is new to pictures.
    fn fresh(asked: ImageOptions, taken: Taken) -> Self {
        let embedder_source = match taken {
            Taken::InPatches => EmbedderSource::Patches,
            Taken::Whole => EmbedderSource::Stem,
        };
        let geometry = asked.resolve(Seen::default(), taken);
        let scale = Normalization::halves(geometry.channels.count());
        let (background, augment) = (Background::default(), Augment::default());
        Self { asked, embedder_source, geometry, scale, background, augment }
    }

    /// The same with another colour behind transparent pixels.
    #[must_use]
    pub fn with_background(self, background: Background) -> Self {
        Self { background, ..self }
    }

    /// The same with augmented training pictures.
    ///
    /// # Errors
    /// As [`Augment::validate`].
    pub fn with_augment(self, augment: Augment) -> Result<Self> {
        augment.validate()?;
        Ok(Self { augment, ..self })
    }

    /// The geometry of the model's input.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The normalisation that the adopted model was trained with, or that of the training set; a
    /// mean and a standard deviation of a half before that is measured.
    pub fn scale(&self) -> &Normalization {
        &self.scale
    }

    /// The colour behind transparent pixels.
    pub fn background(&self) -> Background {
        self.background
    }

    /// The augmentation of training pictures.
    pub fn augmentation(&self) -> &Augment {
        &self.augment
    }

    /// Takes over the preprocessing and the embedder of a run of ours, whose trunk takes `form`.
    fn take_over(&mut self, run: Self, form: FeatureShape) -> Result<Origin> {
        // A run that reads lines goes on to do so.
        self.asked.lines |= run.geometry.line_width.is_some();
        let geometry = self.asked.resolve_as(run.geometry)?;
        let embedder_source = run.embedder_source.trained(form, &run.geometry, &geometry)?;
        let scale = run.scale.of_channels(geometry.channels.count());
        let Self { asked, background, augment, .. } = *self;
        // Positions of patches belong to one width.
        let asked = ImageOptions { line_width: geometry.line_width, ..asked };
        *self = Self { asked, embedder_source, geometry, scale, background, augment };
        Ok(Origin::Pretrained)
    }

    /// Settles the width of lines of text, unless it is given: that of the widest.
    fn survey_lines(&mut self, headers: impl Iterator<Item = Header>) {
        let Geometry { size, patch, line_width, .. } = self.geometry;
        if line_width.is_none() || self.asked.line_width.is_some() {
            return;
        }
        let widest = headers.map(|h| resize::line_width(h.width, h.height, size)).max();
        if let Some(widest) = widest {
            let width = widest.min(LARGEST.into()) as u32;
            self.geometry.line_width = Some(width.next_multiple_of(patch.unwrap_or(1)));
        }
    }

    /// A picture as it is stored, in the channels of the model.
    fn picture(&self, input: &Input) -> Result<Picture, PictureError> {
        self.colours(input, self.geometry.channels)
    }

    /// The same in other channels.
    fn colours(&self, input: &Input, channels: Channels) -> Result<Picture, PictureError> {
        match input {
            Input::File(path) => Picture::open(path, channels, self.background),
            Input::Bytes { bytes, .. } => Picture::decode(bytes, channels, self.background),
            Input::Stored(_) => self.colours(&*input.loaded()?, channels),
            Input::Text(_) | Input::Pair(_) | Input::Words(_) => Err(PictureError::Text),
        }
    }
}

/// Everything left open.
impl Default for ImageSettings {
    fn default() -> Self {
        Self::fresh(ImageOptions::default(), Taken::InPatches)
    }
}

impl Modality for ImageSettings {
    const NAME: &'static str = "image";
    const SAMPLES: &'static str = "pictures";
    const EXTENSIONS: &'static [&'static str] = &[
        "jpg", "jpeg", "jpe", "jfif", "mpo", "png", "apng", "webp", "gif", "bmp", "dib", "tif",
        "tiff",
    ];
    const SIZE: &'static [&'static str] = &["width, pixels", "height, pixels"];

    fn recognises(start: &[u8]) -> bool {
        Picture::starts(start)
    }

    fn adopt(&mut self, source: &Pretrained) -> Result<Origin> {
        if let Some(run) = source.run_for(Self::NAME) {
            return self.take_over(Self::open(run)?, source.config().trunk.accepts());
        }
        let (asked, embedder_source) = (self.asked, EmbedderSource::of(source, Self::NAME)?);
        if !embedder_source.is_pretrained() {
            asked.validate_for(embedder_source.taken())?;
            let Self { background, augment, .. } = *self;
            *self = Self { background, augment, ..Self::fresh(asked, embedder_source.taken()) };
            return Ok(Origin::Fresh);
        }
        let published = Published::of(source)?;
        let geometry = asked.resolve_as(published.geometry)?;
        let scale = published.scale.of_channels(geometry.channels.count());
        let Self { background, augment, .. } = *self;
        *self = Self { asked, embedder_source, geometry, scale, background, augment };
        Ok(Origin::Pretrained)
    }

    fn set_task(&mut self, task: Task) -> Result<()> {
        let refused = |setting, problem: String| Err(Error::Setting { setting, problem });
        match task {
            Task::Tagging => refused("--task", "pictures have no words to label".into()),
            Task::Transcription if self.augment.crop.is_some() || self.augment.flip > 0. => {
                let problem = "random crops and flips change what is written; add --crop-scale 1 \
                               --flip 0";
                refused("--augment", problem.into())
            }
            Task::Transcription => {
                self.asked.lines = true;
                self.geometry = match self.embedder_source.is_pretrained() {
                    true => self.asked.resolve_as(self.geometry)?,
                    false => self.asked.resolve(Seen::default(), self.embedder_source.taken()),
                };
                Ok(())
            }
            _ => self.asked.validate_ranges(),
        }
    }

    fn survey(&mut self, train: &[&Input]) {
        let step = train.len().div_ceil(SURVEYED).max(1);
        let headers = || train.iter().step_by(step).filter_map(|input| header(input).ok());
        if !self.embedder_source.is_pretrained() {
            self.geometry = self.asked.resolve(seen(headers()), self.embedder_source.taken());
            self.scale = Normalization::halves(self.geometry.channels.count());
        }
        self.survey_lines(headers());
    }

    fn read(&self, input: &Input) -> Result<Tensor, BoxError> {
        Ok(sample(self.picture(input)?.fit(&self.geometry)?)?)
    }

    /// The whole picture, `[C, H, W]`, if random crops are to be taken from it, scaled down if it
    /// is more than twice the size that the model sees; else as [`read`](Self::read).
    fn read_for_training(&self, input: &Input) -> Result<Tensor, BoxError> {
        if self.augment.crop.is_none() {
            return self.read(input);
        }
        let picture = self.picture(input)?;
        let (width, height) = (picture.width(), picture.height());
        let enough = KEPT * self.geometry.size;
        if width.min(height) <= enough {
            return Ok(sample(picture)?);
        }
        let (width, height) = resize::scaled(width, height, enough, CropMode::Crop);
        Ok(sample(picture.to((width as u32, height as u32), self.geometry.resample))?)
    }

    fn augment(&self, kept: &Tensor, rng: &mut Rng) -> Tensor {
        // The bytes that are nearest to 0 after normalisation.
        let fill: Vec<u8> =
            self.scale.mean.iter().map(|mean| (mean * 255.).round() as u8).collect();
        self.augment.augment(kept, &self.geometry, &fill, rng)
    }

    fn augments(&self) -> bool {
        !self.augment.is_none()
    }

    fn size(&self, input: &Input) -> Result<Vec<f64>, BoxError> {
        let Header { width, height, .. } = header(input)?;
        Ok(vec![width.into(), height.into()])
    }

    fn preview(&self, input: &Input) -> Result<Preview, BoxError> {
        let picture = self.colours(input, Channels::Rgb)?;
        let picture = picture.thumbnail(SHOWN);
        let (width, height) = (picture.width(), picture.height());
        Ok(Preview::Picture { width, height, rgb: picture.samples })
    }

    fn units(&self) -> Option<&dyn crosstune_core::Units> {
        Some(self)
    }

    fn moments(&self, sample: &Tensor) -> Option<Moments> {
        let measured = !self.embedder_source.is_pretrained();
        measured.then(|| Normalization::moments(self.geometry.channels, sample))
    }

    fn fit_normalization(&mut self, train: &Moments) {
        if let Some(scale) = Normalization::of(train) {
            self.scale = scale;
        }
    }

    fn batch(&self, samples: &[&Tensor]) -> Batch {
        Batch { x: self.scale.apply(&Tensor::stack(samples, 0)), attention_mask: None }
    }

    fn example(&self) -> Batch {
        let [height, width] = self.geometry.sides();
        let shape = [1, self.geometry.channels.count() as i64, height, width];
        Batch { x: Tensor::zeros(shape, (Kind::Float, Device::Cpu)), attention_mask: None }
    }

    fn embedder(&self, vb: VarBuilder<'_>, form: FeatureShape) -> Result<Box<dyn Embedder>> {
        self.embedder_source.embedder(vb, &self.geometry, form)
    }

    fn pretrained_embedder(&self) -> Option<EmbedderConfig> {
        self.embedder_source.saved(&self.geometry)
    }

    fn embedder_config(&self, form: FeatureShape) -> Option<EmbedderConfig> {
        self.embedder_source.config(&self.geometry, form)
    }

    fn save_pretrained(&self, folder: &Path) -> Result<Map<String, Value>> {
        let Geometry { size, resize, resample, crop_mode, channels, .. } = self.geometry;
        let (class, before) = match crop_mode {
            // The class that scales the shorter side and crops, as we do. Only a margin of half a
            // pixel may come out otherwise: transformers rounds it down, torchvision to even.
            CropMode::Crop => ("BitImageProcessor", json!({"shortest_edge": resize})),
            CropMode::Squash => ("DeiTImageProcessor", json!({"height": resize, "width": resize})),
        };
        let processor = json!({
            "image_processor_type": class,
            "do_resize": true, "size": before, "resample": resample.number(),
            "do_center_crop": true, "crop_size": {"height": size, "width": size},
            "do_rescale": true, "rescale_factor": 1. / 255.,
            "do_normalize": true, "image_mean": self.scale.mean, "image_std": self.scale.std,
            "do_convert_rgb": channels == Channels::Rgb,
        });
        write_json(&folder.join(PREPROCESSOR), &processor)?;
        Ok(Map::new())
    }
}

/// How many times the size that a model sees is kept of a picture for random crops: a crop of a
/// quarter of its area loses no detail.
const KEPT: u32 = 2;

/// The longest side of a preview, in pixels.
const SHOWN: u32 = 128;

fn header(input: &Input) -> Result<Header, PictureError> {
    match input {
        Input::File(path) => Header::open(path),
        Input::Bytes { bytes, .. } => Header::decode(bytes),
        Input::Stored(_) => header(&*input.loaded()?),
        Input::Text(_) | Input::Pair(_) | Input::Words(_) => Err(PictureError::Text),
    }
}

/// A picture as `[C, H, W]`, u8: permuted here, once per picture, rather than at every step.
fn sample(picture: Picture) -> Result<Tensor, TchError> {
    let shape =
        [picture.channels().count() as i64, picture.height().into(), picture.width().into()];
    Tensor::f_from_data_size(&picture.into_planes(), &shape, Kind::Uint8)
}

/// What some pictures have in common. Stops as soon as that is nothing.
fn seen(mut headers: impl Iterator<Item = Header>) -> Seen {
    let size = |h: &Header| (h.width, h.height);
    let grey = |h: &Header| h.channels == Channels::Grey;
    let Some(first) = headers.next() else { return Seen::default() };
    let mut seen = Seen { size: Some(size(&first)), grey: grey(&first) };
    for header in headers {
        seen.size = seen.size.filter(|&common| common == size(&header));
        seen.grey &= grey(&header);
        if seen == Seen::default() {
            break;
        }
    }
    seen
}

/// [`ImageSettings`] in a file: resolved, all on one level.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    #[serde(flatten)]
    geometry: Geometry,
    #[serde(flatten)]
    scale: Normalization,
    #[serde(default)]
    background: Background,
    #[serde(default, skip_serializing_if = "Augment::is_none")]
    augment: Augment,
    /// The embedder that came with the trunk; `None`: it is new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    embedder: Option<EmbedderConfig>,
}

impl From<ImageSettings> for Saved {
    fn from(settings: ImageSettings) -> Self {
        let ImageSettings { embedder_source, geometry, scale, background, augment, .. } = settings;
        Self { geometry, scale, background, augment, embedder: embedder_source.saved(&geometry) }
    }
}

impl TryFrom<Saved> for ImageSettings {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self> {
        let Saved { geometry, scale, background, augment, embedder } = saved;
        if let Some((setting, problem)) = scale.problem(geometry.channels.count()) {
            return Err(Error::Setting { setting, problem });
        }
        let asked = ImageOptions::from(geometry);
        match embedder {
            Some(_) => asked.validate_ranges()?,
            None => asked.validate()?,
        }
        augment.validate()?;
        let embedder_source = EmbedderSource::opened(embedder, &geometry)?;
        Ok(Self { asked, embedder_source, geometry, scale, background, augment })
    }
}

#[cfg(test)]
mod tests;

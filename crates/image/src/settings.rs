//! The settings of pictures: what a picture file becomes before a model sees it.

use std::iter;

use crosstune_core::{
    Batch, Cause, Embedder, Error, Form, Input, Modality, Origin, Pretrained, Result, Scope,
};
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::{
    ImageOptions, Layout, PatchEmbedder, Picture, PictureError,
    decode::Header,
    layout::Seen,
};

/// How pictures become tensors: decoded, brought to one size, and to a common scale.
///
/// A sample is `[C, size, size]`, u8; a batch `[B, C, size, size]`, f32, in which the training set
/// has a mean of 0 and a deviation of 1 in each channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "Saved", try_from = "Saved")]
pub struct ImageSettings {
    asked: ImageOptions,
    layout: Layout,
    scale: Scale,
}

/// The mean and deviation of each channel over the training set, where black is 0 and full
/// intensity is 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// The mean of each channel.
    pub mean: Vec<f32>,
    /// The standard deviation of each channel.
    pub deviation: Vec<f32>,
}

/// At most so many pictures are looked at before reading; they lie evenly in the training set.
const SURVEYED: usize = 256;

/// The least deviation, one of the 255 steps of intensity: blank pictures are not blown up.
const LEAST_DEVIATION: f64 = 1. / 255.;

/// Pictures measured at once: enough to be quick, and few enough to fit in memory as f32.
const CHUNK: usize = 64;

impl ImageSettings {
    /// Settings in which what `asked` leaves open is settled by the training set.
    ///
    /// # Errors
    /// As [`ImageOptions::validate`].
    pub fn new(asked: ImageOptions) -> Result<Self> {
        asked.validate()?;
        let layout = asked.settle(Seen::default());
        Ok(Self { asked, layout, scale: Scale::unmeasured(&layout) })
    }

    /// How a model's input is laid out.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The scale of the training set; a mean and a deviation of a half before it is measured.
    pub fn scale(&self) -> &Scale {
        &self.scale
    }
}

/// Everything left open.
impl Default for ImageSettings {
    fn default() -> Self {
        let asked = ImageOptions::default();
        let layout = asked.settle(Seen::default());
        Self { asked, layout, scale: Scale::unmeasured(&layout) }
    }
}

impl Modality for ImageSettings {
    const NAME: &'static str = "image";
    const SAMPLES: &'static str = "pictures";
    const EXTENSIONS: &'static [&'static str] = &["jpg", "jpeg", "png"];

    fn adopt(&mut self, _source: &Pretrained) -> Result<Origin> {
        Ok(Origin::Fresh)
    }

    fn survey(&mut self, train: &[&Input]) {
        let step = train.len().div_ceil(SURVEYED).max(1);
        let headers = train.iter().step_by(step).filter_map(|input| match input {
            Input::File(path) => Header::open(path).ok(),
            Input::Text(_) => None,
        });
        self.layout = self.asked.settle(seen(headers));
        self.scale = Scale::unmeasured(&self.layout);
    }

    fn read(&self, input: &Input) -> Result<Tensor, Cause> {
        let Input::File(path) = input else { return Err(PictureError::Text.into()) };
        let Layout { size, resize, channels, .. } = self.layout;
        let picture = Picture::open(path, channels)?.fit(resize, size)?;
        // Planes here, once per picture, rather than by a permutation at every step.
        let shape = [channels.count() as i64, size.into(), size.into()];
        Ok(Tensor::f_from_data_size(&picture.into_planes(), &shape, Kind::Uint8)?)
    }

    fn standardise(&mut self, train: &[Tensor]) {
        if !train.is_empty() {
            self.scale = Scale::measure(train);
        }
    }

    fn batch(&self, samples: &[&Tensor]) -> Batch {
        Batch { x: self.scale.apply(&Tensor::stack(samples, 0)), keep: None }
    }

    fn embedder(&self, at: Scope<'_>, form: Form) -> Result<Box<dyn Embedder>> {
        Ok(Box::new(PatchEmbedder::new(at, &self.layout, form)?))
    }
}

/// What some pictures have in common. Stops at the one that leaves nothing in common.
fn seen(mut headers: impl Iterator<Item = Header>) -> Seen {
    let size = |h: &Header| (h.width, h.height);
    let grey = |h: &Header| h.channels == crate::Channels::Grey;
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

impl Scale {
    /// From -1 to 1, until something is known.
    fn unmeasured(layout: &Layout) -> Self {
        let half = vec![0.5; layout.channels.count()];
        Self { mean: half.clone(), deviation: half }
    }

    /// Over samples `[C, H, W]`, u8, at least one.
    fn measure(samples: &[Tensor]) -> Self {
        // Sums of whole numbers, exact in f64: chunks and rounding do not matter.
        let sums = |x: &Tensor| x.sum_dim_intlist([0, 2, 3].as_slice(), false, Kind::Double);
        let (mut pixels, mut sum, mut squares) = (0., Tensor::from(0.), Tensor::from(0.));
        for chunk in samples.chunks(CHUNK) {
            let x = Tensor::stack(chunk, 0).to_kind(Kind::Float);
            pixels += (x.numel() as i64 / x.size()[1]) as f64;
            sum += sums(&x);
            squares += sums(&x.square());
        }
        let mean = sum / pixels;
        let deviation = (squares / pixels - mean.square()).clamp_min(0.).sqrt() / 255.;
        let values = |x: Tensor| x.to_kind(Kind::Float).iter::<f64>().map(|v| v.map(|v| v as f32).collect()).unwrap_or_default();
        Self { mean: values(mean / 255.), deviation: values(deviation.clamp_min(LEAST_DEVIATION)) }
    }

    /// `[B, C, H, W]` of 0 to 255 to `(x / 255 - mean) / deviation`, f32.
    fn apply(&self, x: &Tensor) -> Tensor {
        let channel = |values: Vec<f32>| Tensor::from_slice(&values).view([1, -1, 1, 1]).to_device(x.device());
        let factor = channel(self.deviation.iter().map(|d| 1. / (255. * d)).collect());
        let shift = channel(iter::zip(&self.mean, &self.deviation).map(|(m, d)| -m / d).collect());
        // One pass over the pixels for both.
        shift.addcmul(&x.to_kind(Kind::Float), &factor)
    }
}

/// [`ImageSettings`] in a file: settled, all on one level.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    #[serde(flatten)]
    layout: Layout,
    #[serde(flatten)]
    scale: Scale,
}

impl From<ImageSettings> for Saved {
    fn from(settings: ImageSettings) -> Self {
        Self { layout: settings.layout, scale: settings.scale }
    }
}

impl TryFrom<Saved> for ImageSettings {
    type Error = Error;

    fn try_from(saved: Saved) -> Result<Self> {
        let Saved { layout, scale } = saved;
        let (mean, deviation) = (&scale.mean, &scale.deviation);
        let channels = layout.channels.count();
        if mean.len() != channels || deviation.len() != channels {
            let problem = format!(
                "{} means and {} deviations for {channels} channels",
                mean.len(),
                deviation.len()
            );
            return Err(Error::Setting { setting: "mean", problem });
        }
        if let Some(d) = deviation.iter().find(|d| !(d.is_finite() && **d > 0.)) {
            let problem = format!("{d} is not a positive number");
            return Err(Error::Setting { setting: "deviation", problem });
        }
        Ok(Self { scale, ..Self::new(layout.into())? })
    }
}

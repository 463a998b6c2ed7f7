//! The modality: from a recording to features, and from those to batches.

use std::path::Path;

use crosstune_core::{
    Batch, BoxError, Embedder, EmbedderConfig, Error, FeatureShape, FrameEmbedder,
    FrameEmbedderConfig, Input, Modality, Moments, Origin, Places, Positions, Pretrained, Preview,
    Result, Rng, StemConfig, Task, VarBuilder, Window,
    checkpoint::PREPROCESSOR,
    data::{Coverage, Extent},
    files::write_json,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tch::{Device, Kind, Tensor};

use crate::{
    embed::{Sides, SpectrogramStem, fresh_stem, of_one_channel},
    extent::oddity,
    features::{FrontEnd, Padding},
    long::Long,
    options::AudioOptions,
    published::Adopted,
    recording::Recording,
    sample::{Hearing, open},
    scale::Normalization,
    show::{clip, spectrogram},
};

/// How a recording becomes the input of a model.
///
/// For a model that was not trained on audio, that is log-mel frames of the options' shape,
/// normalised by the training set: a sample is `[T, F]`, f32, `T` frames of a recording, at most
/// [`AudioOptions::frames`], and `F` bands. Audio models keep their own front end: frames of their
/// own, or the waveform, of which a sample is `[N]`, f32.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct AudioSettings {
    pub(crate) options: AudioOptions,
    pub(crate) scale: Option<Normalization>,
    pub(crate) adopted: Option<Adopted>,
    /// The layout of frames for a model that was not trained on audio.
    pub(crate) layout: FrameLayout,
    /// Whether a run of ours is taken over, with its normalisation.
    pub(crate) embedder: Origin,
    /// Made once, from the options or the adopted model.
    pub(crate) front_end: FrontEnd,
    /// Whether every position is answered at, so that no part of a recording may be left out.
    pub(crate) transcribes: bool,
    /// The number of frames that a person asked for.
    pub(crate) asked: Option<usize>,
}

/// Everything left open.
impl Default for AudioSettings {
    fn default() -> Self {
        Self::new(AudioOptions::default()).expect("defaults are in range")
    }
}

/// The settings in a file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    #[serde(flatten)]
    options: AudioOptions,
    #[serde(default)]
    scale: Option<Normalization>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    adopted: Option<Adopted>,
    #[serde(default, alias = "lie")]
    layout: FrameLayout,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    transcribes: bool,
}

/// The layout of frames for a model that was not trained on audio.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FrameLayout {
    /// In a sequence, as long as the recordings are.
    #[default]
    Sequence,
    /// As a picture of one channel, with the stem that the model has for pictures, if it has one.
    /// All pictures are of one size: feature maps have no mask, so that otherwise the result for a
    /// recording would depend on the others in its batch.
    Picture(Option<StemConfig>),
}

impl AudioSettings {
    /// Settings, which a survey may complete.
    ///
    /// # Errors
    /// If an option is out of its range.
    pub fn new(options: AudioOptions) -> Result<Self> {
        let asked = options.frames;
        Ok(Self { asked, ..Self::with(options, None)? })
    }

    pub(crate) fn with(options: AudioOptions, adopted: Option<Adopted>) -> Result<Self> {
        let options = match &adopted {
            Some(adopted) => adopted.complete(options)?,
            None => options,
        };
        options.validate()?;
        let front_end = match &adopted {
            Some(adopted) => adopted.front_end(),
            None => options.front_end(),
        };
        let front_end = front_end
            .map_err(|e| Error::Setting { setting: "--window-ms", problem: e.to_string() })?;
        let (layout, embedder) = (FrameLayout::default(), Origin::Fresh);
        let (scale, transcribes, asked) = (None, false, None);
        Ok(Self { options, scale, adopted, layout, embedder, front_end, transcribes, asked })
    }

    /// The same with other options.
    ///
    /// # Errors
    /// If one is out of its range.
    pub(crate) fn with_options(&self, options: AudioOptions) -> Result<Self> {
        let Self { options, adopted, front_end, .. } = Self::with(options, self.adopted.clone())?;
        let (scale, layout, embedder) = (self.scale.clone(), self.layout, self.embedder);
        let (transcribes, asked) = (self.transcribes, self.asked);
        Ok(Self { options, scale, adopted, layout, embedder, front_end, transcribes, asked })
    }

    /// How recordings become samples.
    pub(crate) fn hearing(&self) -> Hearing<'_> {
        let Self { options, front_end, scale, .. } = self;
        let (scale, strides, room) = (scale.as_ref(), self.strides(), self.room());
        Hearing { options, front_end, scale, strides, room }
    }

    /// The options, completed by the survey of the training set if there was one.
    pub fn options(&self) -> &AudioOptions {
        &self.options
    }

    /// The normalisation of the training set, once measured.
    pub fn scale(&self) -> Option<&Normalization> {
        self.scale.as_ref()
    }
}

impl Modality for AudioSettings {
    const NAME: &'static str = "audio";
    const SAMPLES: &'static str = "recordings";
    const EXTENSIONS: &'static [&'static str] = Recording::EXTENSIONS;
    const SIZE: &'static [&'static str] = &["length, seconds"];
    const EXTENT: &'static str = "seconds";

    fn recognises(start: &[u8]) -> bool {
        Recording::starts(start)
    }

    fn adopt(&mut self, source: &Pretrained) -> Result<Origin> {
        if let Some(run) = source.run_for(Self::NAME) {
            return self.take_over(Self::open(run)?, source.config().trunk.accepts());
        }
        let adopted = match source.config().modality == Self::NAME {
            true => Some(Adopted::of(source)?),
            false => None,
        };
        let layout = match (source.config().trunk.accepts(), &source.config().embedder) {
            _ if adopted.is_some() => FrameLayout::Sequence,
            (FeatureShape::Sequence { .. }, _) => FrameLayout::Sequence,
            (FeatureShape::FeatureMap { .. }, EmbedderConfig::Stem(stem)) => {
                FrameLayout::Picture(Some(*stem))
            }
            (FeatureShape::FeatureMap { .. }, _) => FrameLayout::Picture(None),
        };
        let origin = match (&adopted, layout) {
            (None, FrameLayout::Sequence | FrameLayout::Picture(None)) => Origin::Fresh,
            (Some(_), _) | (None, FrameLayout::Picture(Some(_))) => Origin::Pretrained,
        };
        let asked = self.asked;
        *self = Self { layout, asked, ..Self::with(self.options.clone(), adopted)? };
        Ok(origin)
    }

    fn set_task(&mut self, task: Task) -> Result<()> {
        self.prepare_for(task)
    }

    fn survey(&mut self, train: &[&Input]) {
        self.settle(train);
    }

    fn read(&self, input: &Input) -> Result<Tensor, BoxError> {
        self.hearing().read(input)
    }

    fn read_for_training(&self, input: &Input) -> Result<Tensor, BoxError> {
        self.hearing().read_for_training(input)
    }

    fn augment(&self, kept: &Tensor, rng: &mut Rng) -> Tensor {
        self.hearing().augment(kept, rng)
    }

    fn augments(&self) -> bool {
        self.hearing().augments()
    }

    fn windows(&self, sample: &Tensor) -> Vec<Window> {
        match self.options.long() {
            _ if self.transcribes => self.hearing().windows(sample),
            Long::Windows => sample.unbind(0).into_iter().map(Window::from).collect(),
            Long::Cut | Long::Crop => vec![sample.shallow_clone().into()],
        }
    }

    /// Decodes a recording to its end, of which a model may hear only the beginning.
    fn verify(&self, input: &Input) -> Result<(), BoxError> {
        match self.hearing().hears_all() {
            true => self.read(input).map(drop),
            false => Ok(open(input)?.verify().map(drop)?),
        }
    }

    fn size(&self, input: &Input) -> Result<Vec<f64>, BoxError> {
        Ok(vec![open(input)?.seconds()?])
    }

    fn oddity(&self, input: &Input) -> Result<Option<String>, BoxError> {
        oddity(input)
    }

    fn extent(&self, input: &Input) -> Result<Option<Extent>, BoxError> {
        self.hearing().extent(input).map(Some)
    }

    fn take_more(&self, _: &Coverage) -> Option<String> {
        Some("--long windows takes all".into())
    }

    fn take_less(&self, coverage: &Coverage) -> Option<String> {
        let lengths = self.adopted.as_ref().and_then(Adopted::lengths)?;
        self.hearing().take_less(coverage, *lengths.start())
    }

    fn preview(&self, input: &Input) -> Result<Preview, BoxError> {
        spectrogram(open(input)?)
    }

    fn preview_audio(&self, input: &Input) -> Result<Option<Vec<u8>>, BoxError> {
        clip(open(input)?).map(Some)
    }

    fn units(&self) -> Option<&dyn crosstune_core::Units> {
        Some(self)
    }

    fn moments(&self, sample: &Tensor) -> Option<Moments> {
        // A pretrained model has the normalisation that it was trained with.
        let measured = self.adopted.is_none() && self.embedder == Origin::Fresh;
        measured.then(|| Normalization::moments(&self.hearing().heard_of(sample)))
    }

    fn fit_normalization(&mut self, train: &Moments) {
        if let Some(scale) = Normalization::of(train) {
            self.scale = Some(scale);
        }
    }

    fn places(&self, input: &Input, positions: usize) -> Result<Places, BoxError> {
        self.moments_of(input, positions)
    }

    fn batch(&self, samples: &[&Tensor]) -> Batch {
        let prepared = self.transcribes.then(|| self.hearing().prepared(samples));
        let prepared: Option<Vec<&Tensor>> = prepared.as_ref().map(|all| all.iter().collect());
        let samples = prepared.as_deref().unwrap_or(samples);
        let lengths: Vec<i64> = samples.iter().map(|sample| sample.size()[0]).collect();
        if self.front_end.padding() == Padding::Full {
            let frames = self.options.frames() as i64;
            // The silence is heard, too; it tells where a sequence of answers ends.
            let mask = self.transcribes.then(|| held(&lengths, frames));
            let filled = samples.iter().zip(&lengths).map(|(sample, length)| {
                let silence = self.front_end.silence(sample);
                sample.pad([0, 0, 0, frames - length], "constant", silence)
            });
            let x = Tensor::stack(&filled.collect::<Vec<_>>(), 0);
            return Batch { x, attention_mask: mask };
        }
        let x = Tensor::pad_sequence(samples, true, 0., "right");
        let x = self.scale.as_ref().map_or_else(|| x.shallow_clone(), |scale| scale.apply(&x));
        let longest = x.size()[1];
        let even = lengths.iter().all(|&length| length == longest);
        let mask = (!even).then(|| held(&lengths, longest));
        // Normalisation has moved the padding away from zero.
        let x = match mask.as_ref().map(Tensor::logical_not) {
            Some(padded) if x.dim() == 3 => x.masked_fill(&padded.unsqueeze(-1), 0.),
            Some(padded) => x.masked_fill(&padded, 0.),
            None => x,
        };
        if self.layout != FrameLayout::Sequence {
            let missing = (self.options.frames() as i64 - longest).max(0);
            let all = mask.unwrap_or_else(|| {
                Tensor::ones([samples.len() as i64, longest], (Kind::Bool, Device::Cpu))
            });
            // It tells where a sequence of answers ends; the feature map itself has none.
            let mask = all.constant_pad_nd([0, missing]);
            let x = x.pad([0, 0, 0, missing], "constant", 0.);
            return Batch { x, attention_mask: Some(mask) };
        }
        Batch { x, attention_mask: mask }
    }

    fn pretrained_embedder(&self) -> Option<EmbedderConfig> {
        let frames = self.options.frames() as i64;
        self.adopted.as_ref().map(|adopted| adopted.pretrained(frames))
    }

    fn save_pretrained(&self, folder: &Path) -> Result<Map<String, Value>> {
        if let Some(extractor) = self.adopted.as_ref().and_then(|a| a.extractor(&self.options)) {
            write_json(&folder.join(PREPROCESSOR), &extractor)?;
        }
        Ok(Map::new())
    }

    fn example(&self) -> Batch {
        let frames = self.options.frames();
        let float = (Kind::Float, Device::Cpu);
        let x = match &self.front_end {
            FrontEnd::Waveform(_) => {
                Tensor::zeros([1, self.front_end.samples(frames) as i64], float)
            }
            _ => Tensor::zeros([1, frames as i64, self.front_end.width() as i64], float),
        };
        let mask = match self.front_end.padding() {
            Padding::Full => None,
            Padding::Masked if self.layout != FrameLayout::Sequence => None,
            Padding::Masked => Some(Tensor::ones(&x.size()[..2], (Kind::Bool, Device::Cpu))),
        };
        Batch { x, attention_mask: mask }
    }

    fn embedder(&self, vb: VarBuilder<'_>, form: FeatureShape) -> Result<Box<dyn Embedder>> {
        let frames = self.options.frames() as i64;
        if let Some(adopted) = &self.adopted {
            let masks = self.options.augment.masks.unwrap_or(0);
            return adopted.embedder(&vb, frames, form, masks);
        }
        Ok(match form {
            FeatureShape::Sequence { .. } => {
                let features = self.front_end.width() as i64;
                let config =
                    FrameEmbedderConfig { features, positions: Positions::Sequence(frames) };
                Box::new(FrameEmbedder::new(vb, config, form)?)
            }
            FeatureShape::FeatureMap { channels } => {
                let from = match self.layout {
                    FrameLayout::Picture(Some(stem)) => stem,
                    FrameLayout::Picture(None) | FrameLayout::Sequence => fresh_stem(channels),
                };
                let to = of_one_channel(from);
                Box::new(SpectrogramStem::new(&vb, &from, &to, Sides::BandsByFrames, form)?)
            }
        })
    }
}

/// Which of so many positions hold data, `[B, positions]`, where sequences have these lengths.
fn held(lengths: &[i64], positions: i64) -> Tensor {
    let all = Tensor::arange(positions, (Kind::Int64, Device::Cpu));
    all.lt_tensor(&Tensor::from_slice(lengths).unsqueeze(1))
}

impl From<AudioSettings> for Saved {
    fn from(settings: AudioSettings) -> Self {
        let AudioSettings { options, scale, adopted, layout, transcribes, .. } = settings;
        Self { options, scale, adopted, layout, transcribes }
    }
}

impl TryFrom<Saved> for AudioSettings {
    type Error = Error;

    fn try_from(Saved { options, scale, adopted, layout, transcribes }: Saved) -> Result<Self> {
        let settled = Self { scale, layout, transcribes, ..Self::with(options, adopted)? };
        let width = settled.front_end.width();
        if let Some(Normalization { mean, std }) = &settled.scale
            && (mean.len() != width
                || std.len() != width
                || !mean.iter().all(|m| m.is_finite())
                || !std.iter().all(|&d| d.is_finite() && d > 0.))
        {
            let problem = format!("expected {width} means and as many standard deviations above 0");
            return Err(Error::Setting { setting: "scale", problem });
        }
        Ok(settled)
    }
}

//! The modality: from a WAV file to log-mel frames, and from those to a batch.

use std::collections::BTreeMap;

use crosstune_core::{
    Batch, Cause, Embedder, Error, Form, FrameEmbedder, FrameEmbedderConfig, Input, Modality,
    Origin, Positions, Pretrained, Result, Scope,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::{AudioOptions, LogMel, Scale, Wav, resample};

/// How a recording becomes frames of log-mel bands. A sample is `[T, F]`, f32: `T` frames of a
/// recording, at most [`AudioOptions::frames`], and `F` bands.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Saved", into = "Saved")]
pub struct AudioSettings {
    options: AudioOptions,
    scale: Option<Scale>,
    /// Made of the options, once.
    mel: LogMel,
}

/// What of the settings is saved.
#[derive(Serialize, Deserialize)]
struct Saved {
    #[serde(flatten)]
    options: AudioOptions,
    scale: Option<Scale>,
}

impl AudioSettings {
    /// Settings that a survey may still complete.
    ///
    /// # Errors
    /// If an option is out of its range.
    pub fn new(options: AudioOptions) -> Result<Self> {
        options.validate()?;
        let mel = LogMel::new(options.mel())
            .map_err(|e| Error::Setting { setting: "--window-ms", problem: e.to_string() })?;
        Ok(Self { options, scale: None, mel })
    }

    /// The choices, completed as far as the training set has been surveyed.
    pub fn options(&self) -> &AudioOptions {
        &self.options
    }

    /// The scale of the training set, once measured.
    pub fn scale(&self) -> Option<&Scale> {
        self.scale.as_ref()
    }
}

impl Modality for AudioSettings {
    const NAME: &'static str = "audio";
    const SAMPLES: &'static str = "recordings";
    const EXTENSIONS: &'static [&'static str] = &["wav"];

    fn adopt(&mut self, _source: &Pretrained) -> Result<Origin> {
        // No family of models of sound is known yet.
        Ok(Origin::Fresh)
    }

    fn survey(&mut self, train: &[&Input]) {
        let headers: Vec<(u32, u64)> = train
            .par_iter()
            .filter_map(|input| match input {
                Input::File(path) => Wav::open(path).ok(),
                Input::Text(_) => None,
            })
            .map(|wav| (wav.sample_rate(), wav.samples()))
            .collect();
        let Some(rate) = self.options.sample_rate.or_else(|| common_rate(&headers)) else {
            return;
        };
        let mut options = AudioOptions { sample_rate: Some(rate), ..self.options.clone() };
        let mel = options.mel();
        let mut lengths: Vec<usize> = headers
            .iter()
            .map(|&(from, samples)| {
                let samples = samples.saturating_mul(rate.into()).div_ceil(from.into());
                mel.frames(usize::try_from(samples).unwrap_or(usize::MAX))
            })
            .collect();
        options.frames = options.frames.or_else(|| usual_length(&mut lengths));
        // It does not fail: options that hold at one rate hold at all.
        if let Ok(settled) = Self::new(options) {
            *self = settled;
        }
    }

    fn read(&self, input: &Input) -> Result<Tensor, Cause> {
        let path = match input {
            Input::File(path) => path,
            Input::Text(_) => return Err("a text, where the path of a WAV file is expected".into()),
        };
        let (mel, frames) = (self.mel.config(), self.options.frames());
        let wav = Wav::open(path)?;
        let from = wav.sample_rate();
        // No more of a long recording is read than the frames that are kept can tell of.
        let samples = wav.read(resample::needed(mel.samples(frames), from, mel.sample_rate))?;
        let samples = resample::resample(samples, from, mel.sample_rate)?;
        let mut sample = self.mel.compute(&samples);
        sample.truncate(frames * mel.bands);
        Ok(Tensor::from_slice(&sample).view([-1, mel.bands as i64]))
    }

    fn standardise(&mut self, train: &[Tensor]) {
        self.scale = Scale::measure(train);
    }

    fn batch(&self, samples: &[&Tensor]) -> Batch {
        let x = Tensor::pad_sequence(samples, true, 0., "right");
        let x = self.scale.as_ref().map_or_else(|| x.shallow_clone(), |scale| scale.apply(&x));
        let lengths: Vec<i64> = samples.iter().map(|sample| sample.size()[0]).collect();
        let longest = x.size()[1];
        if lengths.iter().all(|&length| length == longest) {
            return Batch { x, keep: None };
        }
        let places = Tensor::arange(longest, (Kind::Int64, Device::Cpu));
        let keep = places.lt_tensor(&Tensor::from_slice(&lengths).unsqueeze(1));
        let x = x.masked_fill(&keep.logical_not().unsqueeze(-1), 0.);
        Batch { x, keep: Some(keep) }
    }

    fn embedder(&self, at: Scope<'_>, form: Form) -> Result<Box<dyn Embedder>> {
        let config = FrameEmbedderConfig {
            features: self.options.bands as i64,
            positions: Positions::Line(self.options.frames() as i64),
        };
        Ok(Box::new(FrameEmbedder::new(at, config, form)?))
    }
}

/// The rate of most recordings (the higher one of two that are as common), brought into range.
fn common_rate(headers: &[(u32, u64)]) -> Option<u32> {
    let mut counts = BTreeMap::new();
    for (rate, _) in headers {
        *counts.entry(*rate).or_insert(0_usize) += 1;
    }
    let (rate, _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    Some(rate.clamp(*AudioOptions::RATES.start(), AudioOptions::HIGHEST_RATE))
}

/// The length, in frames, that 95 % of the recordings do not exceed, brought into range.
fn usual_length(lengths: &mut [usize]) -> Option<usize> {
    let place = (lengths.len() * 95).div_ceil(100).checked_sub(1)?;
    let (_, length, _) = lengths.select_nth_unstable(place);
    Some((*length).clamp(*AudioOptions::FRAMES.start(), *AudioOptions::FRAMES.end()))
}

impl From<AudioSettings> for Saved {
    fn from(AudioSettings { options, scale, .. }: AudioSettings) -> Self {
        Self { options, scale }
    }
}

impl TryFrom<Saved> for AudioSettings {
    type Error = Error;

    fn try_from(Saved { options, scale }: Saved) -> Result<Self> {
        let bands = options.bands;
        if let Some(Scale { mean, deviation }) = &scale
            && (mean.len() != bands
                || deviation.len() != bands
                || !mean.iter().all(|m| m.is_finite())
                || !deviation.iter().all(|&d| d.is_finite() && d > 0.))
        {
            let problem = format!("expected {bands} means and as many deviations above 0");
            return Err(Error::Setting { setting: "scale", problem });
        }
        Ok(Self { scale, ..Self::new(options)? })
    }
}

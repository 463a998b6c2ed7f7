//! The frames of CLAP (Wu et al. 2023, §3.1), as transformers' feature extractor makes them.

use std::path::Path;

use crosstune_core::{
    Error, Result,
    files::{is_there, read_json},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    bank::{Bank, BankConfig, Mel},
    mel::{MelConfig, MelError},
    spectrum::{PowerSpectrum, hann, reflect},
};

/// The shape of CLAP's frames.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClapConfig {
    /// Samples a second, in Hz.
    pub sample_rate: u32,
    /// The length of the window and of the Fourier transform, in samples.
    pub fft: usize,
    /// From one window to the next, in samples.
    pub hop: usize,
    /// The number of mel bands.
    pub bands: usize,
    /// The lower edge of the lowest band, in Hz.
    pub low_hz: f64,
    /// The upper edge of the highest band, in Hz.
    pub high_hz: f64,
    /// The mel scale of the bands.
    pub scale: ClapScale,
    /// What follows a shorter recording.
    pub filling: Filling,
    /// The most frames.
    pub frames: usize,
}

/// The mel scale of CLAP's bands, which depends on what becomes of longer recordings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClapScale {
    /// HTK's: models that fuse several pieces.
    Htk,
    /// Slaney's: models that take one piece.
    Slaney,
}

/// What follows a recording that is shorter than the model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filling {
    /// Itself, as often as it fits as a whole, then zeros.
    RepeatPad,
    /// Itself, the last time in part.
    Repeat,
    /// Zeros.
    Pad,
}

/// `preprocessor_config.json`; what is missing is as in transformers.
#[derive(Deserialize)]
#[serde(default)]
struct Published {
    feature_size: usize,
    sampling_rate: u32,
    hop_length: usize,
    max_length_s: usize,
    fft_window_size: usize,
    frequency_min: f64,
    frequency_max: f64,
    truncation: String,
    padding: Filling,
}

impl Default for Published {
    fn default() -> Self {
        Self {
            feature_size: 64,
            sampling_rate: 48_000,
            hop_length: 480,
            max_length_s: 10,
            fft_window_size: 1024,
            frequency_min: 0.,
            frequency_max: 14_000.,
            truncation: "fusion".into(),
            padding: Filling::RepeatPad,
        }
    }
}

impl ClapConfig {
    /// As a `preprocessor_config.json` has it or, where there is none, as the published models that
    /// fuse nothing have it; for a model that takes at most `frames` frames of `bands` bands.
    ///
    /// # Errors
    /// If the file is broken, or contradicts the model.
    pub(crate) fn read(path: &Path, bands: i64, frames: i64) -> Result<Self> {
        let usual =
            || Published { frequency_min: 50., truncation: "rand_trunc".into(), ..<_>::default() };
        let published: Published = if is_there(path) { read_json(path)? } else { usual() };
        let refused = |problem| Err(Error::Malformed { path: path.into(), problem });
        let scale = match published.truncation.as_str() {
            "fusion" => ClapScale::Htk,
            "rand_trunc" => ClapScale::Slaney,
            other => {
                return refused(format!("truncation is {other:?}, expected fusion or rand_trunc"));
            }
        };
        if published.feature_size as i64 != bands {
            let says = published.feature_size;
            return refused(format!("feature_size is {says}, but the model takes {bands} bands"));
        }
        let samples = published.max_length_s.checked_mul(published.sampling_rate as usize);
        let asked = samples.and_then(|n| n.checked_div(published.hop_length)).map(|n| n + 1);
        let Some(asked) = asked.filter(|&n| n > 1 && n as i64 <= frames) else {
            return refused(format!(
                "max_length_s is {} at a hop_length of {}, but the model takes 2 to {frames} frames",
                published.max_length_s, published.hop_length
            ));
        };
        Ok(Self {
            sample_rate: published.sampling_rate,
            fft: published.fft_window_size,
            hop: published.hop_length,
            bands: published.feature_size,
            low_hz: published.frequency_min,
            high_hz: published.frequency_max,
            scale,
            filling: published.padding,
            frames: asked,
        })
    }

    /// The `preprocessor_config.json` for recordings of `frames` frames.
    pub(crate) fn published(&self, frames: usize) -> Value {
        json!({
            "feature_extractor_type": "ClapFeatureExtractor", "feature_size": self.bands,
            "sampling_rate": self.sample_rate, "hop_length": self.hop,
            "fft_window_size": self.fft, "frequency_min": self.low_hz,
            "frequency_max": self.high_hz, "padding": self.filling, "padding_value": 0.,
            // transformers counts in whole seconds.
            "max_length_s": (frames * self.hop).div_ceil(self.sample_rate as usize),
            "truncation": match self.scale {
                ClapScale::Htk => "fusion",
                ClapScale::Slaney => "rand_trunc",
            },
            "return_attention_mask": false,
        })
    }
}

/// Computes CLAP's frames: decibels of the power in mel bands, at least -100.
#[derive(Debug, Clone)]
pub struct ClapMel {
    config: ClapConfig,
    /// In f64, as there: what quiet bands hold is less than the rounding of an f32.
    spectrum: PowerSpectrum<f64>,
    bank: Bank,
}

impl ClapMel {
    /// The least power that is told from silence.
    const FLOOR: f32 = 1e-10;

    /// Plans the transform and makes the filter bank.
    ///
    /// # Errors
    /// As [`LogMel::new`](super::LogMel::new).
    pub fn new(config: ClapConfig) -> Result<Self, MelError> {
        let ClapConfig { sample_rate, fft, hop, bands, low_hz, high_hz, .. } = config;
        let shape = MelConfig::new(sample_rate, fft, hop, bands);
        MelConfig { low_hz, high_hz, ..shape }.validate()?;
        let mel = match config.scale {
            ClapScale::Htk => Mel::Htk,
            ClapScale::Slaney => Mel::Slaney,
        };
        Ok(Self {
            spectrum: PowerSpectrum::new(hann(fft, fft), fft),
            bank: Bank::new(BankConfig { sample_rate, fft, bands, low_hz, high_hz, mel }),
            config,
        })
    }

    /// Its shape.
    pub fn config(&self) -> &ClapConfig {
        &self.config
    }

    /// How many frames `samples` samples give.
    pub fn frames(&self, samples: usize) -> usize {
        1 + samples / self.config.hop
    }

    /// How many samples `frames` frames are of.
    pub fn samples(&self, frames: usize) -> usize {
        frames.saturating_sub(1) * self.config.hop
    }

    /// Mono samples, cut off or filled up so that they are `frames` frames, as `[frames, bands]`, row
    /// by row.
    pub fn compute(&self, samples: &[f32], frames: usize) -> Vec<f32> {
        let ClapConfig { fft, hop, bands, .. } = self.config;
        let padded = reflect(&self.filled(samples, self.samples(frames)), fft / 2);
        let (mut mel, mut single) = (Vec::with_capacity(frames * bands), vec![]);
        self.spectrum.run(
            frames,
            |t, frame| {
                let heard = padded.get(t * hop..).unwrap_or_default();
                frame.iter_mut().zip(heard).for_each(|(x, &sample)| *x = sample.into());
            },
            |power| {
                single.clear();
                single.extend(power.iter().map(|&p| p as f32));
                mel.extend(self.bank.apply(&single).map(|p| 10. * p.max(Self::FLOOR).log10()));
            },
        );
        mel
    }

    /// `length` samples.
    fn filled(&self, samples: &[f32], length: usize) -> Vec<f32> {
        let times = match self.config.filling {
            Filling::RepeatPad => length.checked_div(samples.len()).unwrap_or(0).max(1),
            Filling::Repeat => length.div_ceil(samples.len().max(1)),
            Filling::Pad => 1,
        };
        let repeated = samples.iter().copied().cycle().take(times.saturating_mul(samples.len()));
        let mut filled: Vec<f32> = repeated.take(length).collect();
        filled.resize(length, 0.);
        filled
    }
}

//! The waveform itself, the input of wav2vec 2.0 and HuBERT.

use serde::{Deserialize, Serialize};

/// How a waveform is prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaveformConfig {
    /// Samples a second, in Hz.
    pub sample_rate: u32,
    /// How loud recordings are.
    pub level: Level,
    /// What its publisher's library does about recordings of different lengths.
    pub ends: Ends,
}

/// How loud a recording is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Each is normalised to mean 0 and standard deviation 1.
    Normalised,
    /// As it was recorded, within -1..1.
    AsRecorded,
}

/// How transformers treats the padding of a batch: `return_attention_mask`. It is written into an
/// exported model's `preprocessor_config.json`. Here padding is masked in any case, so that the
/// answer for a recording is the one that it has alone; alone, both are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ends {
    /// It is masked: large models.
    Masked,
    /// It is silence: base models, whose group norm counts it there.
    Silent,
}

/// Prepares waveforms for the convolutions of one model.
#[derive(Debug, Clone)]
pub struct Waveform {
    config: WaveformConfig,
    /// The number of samples of one position of the sequence.
    field: usize,
    /// From one position to the next, in samples.
    hop: usize,
}

impl Waveform {
    /// Added to the variance before its root divides.
    const EPS: f64 = 1e-7;

    /// For convolutions of these channels, kernels and strides, in samples.
    pub fn new(config: WaveformConfig, convolutions: &[[i64; 3]]) -> Self {
        let size = |n: i64| usize::try_from(n).unwrap_or(1).max(1);
        let (field, hop) =
            convolutions.iter().fold((1, 1), |(field, hop), &[_, kernel, stride]| {
                (field + (size(kernel) - 1) * hop, hop * size(stride))
            });
        Self { config, field, hop }
    }

    /// How it prepares.
    pub fn config(&self) -> &WaveformConfig {
        &self.config
    }

    /// The number of positions for `samples` samples: at least one.
    pub fn frames(&self, samples: usize) -> usize {
        1 + samples.saturating_sub(self.field) / self.hop
    }

    /// The number of samples of `frames` positions.
    pub fn samples(&self, frames: usize) -> usize {
        frames.saturating_sub(1) * self.hop + self.field
    }

    /// Mono samples, normalised if the model wants that, padded with zeros to at least one
    /// position.
    pub fn compute(&self, mut samples: Vec<f32>) -> Vec<f32> {
        if self.config.level == Level::Normalised && !samples.is_empty() {
            let count = samples.len() as f64;
            let mean = samples.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
            let square = |&x: &f32| (f64::from(x) - mean).powi(2);
            let variance = samples.iter().map(square).sum::<f64>() / count;
            let std = (variance + Self::EPS).sqrt();
            samples.iter_mut().for_each(|x| *x = ((f64::from(*x) - mean) / std) as f32);
        }
        samples.resize(samples.len().max(self.field), 0.);
        samples
    }
}

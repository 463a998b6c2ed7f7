//! The frames of AST (Gong et al. 2021, §2.1): Kaldi's filter bank, as torchaudio's
//! `compliance.kaldi.fbank` computes it, brought to the scale of the training set.

use serde::{Deserialize, Serialize};

use super::{
    bank::{Bank, BankConfig, Mel},
    mel::{MelConfig, MelError},
    spectrum::{PowerSpectrum, hann},
};

/// The shape of Kaldi's filter bank.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KaldiConfig {
    /// Samples a second, in Hz.
    pub sample_rate: u32,
    /// The number of mel bands.
    pub bands: usize,
    /// What is subtracted from every value.
    pub mean: f32,
    /// What the rest is divided by, twice the standard deviation.
    pub scale: f32,
    /// The window function.
    #[serde(default)]
    pub window: KaldiWindow,
    /// How loud samples are taken to be.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub range: SampleRange,
    /// Whether the bands of a recording are normalised.
    #[serde(default, skip_serializing_if = "is_usual")]
    pub level: BandLevel,
}

fn is_usual<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What the loudest sample is. It matters for what is nearly silent: a power counts as at least 2⁻²³.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SampleRange {
    /// 1, as torchaudio's functions take samples.
    #[default]
    Unit,
    /// 2¹⁵, as Kaldi reads 16-bit files: SeamlessM4T.
    Integer,
}

/// What is done to the bands of a recording, ahead of the mean and the scale of the training set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BandLevel {
    /// They are as they are.
    #[default]
    AsRecorded,
    /// Each is brought to mean 0 and standard deviation 1: SeamlessM4T.
    Normalised,
}

impl KaldiConfig {
    /// Kaldi's own: 23 bands under its own window, brought to no scale.
    pub fn new(sample_rate: u32) -> Self {
        let (range, level) = (SampleRange::default(), BandLevel::default());
        Self {
            sample_rate,
            bands: 23,
            mean: 0.,
            scale: 1.,
            window: KaldiWindow::Povey,
            range,
            level,
        }
    }
}

/// The window functions, by Kaldi's names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KaldiWindow {
    /// Hann's: AST.
    #[default]
    Hanning,
    /// Hann's to the power of 0.85: Kaldi's default.
    Povey,
    /// Hamming's.
    Hamming,
}

impl KaldiWindow {
    /// Of `length` samples, ending as it begins.
    fn samples(self, length: usize) -> Vec<f64> {
        let mut window = hann(length, length - 1);
        match self {
            Self::Hanning => {}
            Self::Povey => window.iter_mut().for_each(|w| *w = w.powf(0.85)),
            Self::Hamming => window.iter_mut().for_each(|w| *w = 0.08 + 0.92 * *w),
        }
        window
    }
}

/// Computes the logarithm of the power in Kaldi's mel bands from 20 Hz to half the sample rate. No
/// window reaches beyond the samples.
#[derive(Debug, Clone)]
pub struct KaldiMel {
    config: KaldiConfig,
    window: usize,
    hop: usize,
    /// In f64: what quiet bands hold after pre-emphasis is less than the rounding of an f32.
    spectrum: PowerSpectrum<f64>,
    bank: Bank,
}

impl KaldiMel {
    /// The length of the window, in milliseconds.
    pub const WINDOW_MS: u32 = 25;
    /// From one window to the next, in milliseconds.
    pub const HOP_MS: u32 = 10;
    /// How much of the sample before is taken off each.
    const PREEMPHASIS: f64 = 0.97;
    const LOWEST_HZ: f64 = 20.;

    /// Plans the transform and makes the filter bank.
    ///
    /// # Errors
    /// As [`LogMel::new`](super::LogMel::new), and if the scale is not above 0.
    pub fn new(config: KaldiConfig) -> Result<Self, MelError> {
        let KaldiConfig { sample_rate, bands, .. } = config;
        let samples = |ms: u32| (u64::from(sample_rate) * u64::from(ms) / 1000) as usize;
        let (window, hop) = (samples(Self::WINDOW_MS), samples(Self::HOP_MS));
        let fft = window.next_power_of_two();
        let (low_hz, high_hz) = (Self::LOWEST_HZ, f64::from(sample_rate) / 2.);
        MelConfig { low_hz, fft, ..MelConfig::new(sample_rate, window, hop, bands) }.validate()?;
        if !(config.mean.is_finite() && config.scale.is_finite() && config.scale > 0.) {
            return Err(MelError("a mean or a scale that is no number above 0".into()));
        }
        let mel = Mel::Kaldi;
        Ok(Self {
            window,
            hop,
            spectrum: PowerSpectrum::new(config.window.samples(window), fft),
            bank: Bank::new(BankConfig { sample_rate, fft, bands, low_hz, high_hz, mel }),
            config,
        })
    }

    /// Its shape.
    pub fn config(&self) -> &KaldiConfig {
        &self.config
    }

    /// How many frames `samples` samples give: at least one.
    pub fn frames(&self, samples: usize) -> usize {
        1 + samples.saturating_sub(self.window) / self.hop
    }

    /// How many samples it takes to know the first `frames` frames.
    pub fn samples(&self, frames: usize) -> usize {
        frames.saturating_sub(1) * self.hop + self.window
    }

    /// The frames of mono samples, `[T, bands]`, row by row, where `T` is [`frames`](Self::frames).
    /// A recording that is shorter than a window is followed by silence.
    pub fn compute(&self, samples: &[f32]) -> Vec<f32> {
        let frames = self.frames(samples.len());
        let mut mel = Vec::with_capacity(frames * self.config.bands);
        let mut single = vec![];
        self.spectrum.run(
            frames,
            |t, frame| {
                let heard = &samples[(t * self.hop).min(samples.len())..];
                let heard = &heard[..heard.len().min(self.window)];
                let loudest = self.loudest();
                frame
                    .iter_mut()
                    .zip(heard)
                    .for_each(|(x, &sample)| *x = f64::from(sample) * loudest);
                condition(frame);
            },
            |power| {
                single.clear();
                single.extend(power.iter().map(|&p| p as f32));
                let logs = self.bank.apply(&single).map(|p| p.max(f32::EPSILON).ln());
                mel.extend(logs);
            },
        );
        if self.config.level == BandLevel::Normalised {
            normalise(&mut mel, self.config.bands);
        }
        mel.iter_mut().for_each(|x| *x = self.scaled(*x));
        mel
    }

    /// The value of a padding frame: a zero, before it is scaled.
    pub fn silence(&self) -> f32 {
        self.scaled(0.)
    }

    fn loudest(&self) -> f64 {
        match self.config.range {
            SampleRange::Unit => 1.,
            SampleRange::Integer => 32_768.,
        }
    }

    fn scaled(&self, x: f32) -> f32 {
        (x - self.config.mean) / self.config.scale
    }
}

/// Brings each band of frames, row by row, to mean 0 and standard deviation 1.
fn normalise(mel: &mut [f32], bands: usize) {
    /// Added to the variance before its root divides.
    const EPS: f64 = 1e-7;
    let frames = mel.len() / bands.max(1);
    for band in 0..bands {
        let values = || mel.iter().skip(band).step_by(bands).map(|&x| f64::from(x));
        let mean = values().sum::<f64>() / frames as f64;
        let squares = values().map(|x| (x - mean).powi(2)).sum::<f64>();
        let std = (squares / (frames.max(2) - 1) as f64 + EPS).sqrt();
        mel.iter_mut()
            .skip(band)
            .step_by(bands)
            .for_each(|x| *x = ((f64::from(*x) - mean) / std) as f32);
    }
}

/// Subtracts the mean from a frame, and from each sample a fraction of the one before (of itself
/// for the first).
fn condition(frame: &mut [f64]) {
    let mean = frame.iter().sum::<f64>() / frame.len() as f64;
    frame.iter_mut().for_each(|x| *x -= mean);
    for i in (0..frame.len()).rev() {
        frame[i] -= KaldiMel::PREEMPHASIS * frame[i.saturating_sub(1)];
    }
}

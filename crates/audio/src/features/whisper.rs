//! The frames of Whisper (Radford et al. 2022, §2.2), as transformers' feature extractor
//! makes them.

use serde::{Deserialize, Serialize};

use super::{
    bank::{Bank, BankConfig, Mel},
    mel::{MelConfig, MelError},
    spectrum::{PowerSpectrum, hann_f32, reflect},
};

/// The shape of Whisper's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhisperConfig {
    /// Samples a second, in Hz.
    pub sample_rate: u32,
    /// The length of the window and of the Fourier transform, in samples.
    pub fft: usize,
    /// From one window to the next, in samples.
    pub hop: usize,
    /// The number of mel bands.
    pub bands: usize,
}

/// Computes Whisper's frames: a logarithm, to the base of 10, of the power in Slaney's mel bands up
/// to 8 kHz, clipped at 80 dB below the loudest.
#[derive(Debug, Clone)]
pub struct WhisperMel {
    config: WhisperConfig,
    spectrum: PowerSpectrum<f32>,
    bank: Bank,
}

impl WhisperMel {
    /// The least power that is told from silence.
    const FLOOR: f32 = 1e-10;
    /// From the loudest to the quietest value, in powers of ten.
    const RANGE: f32 = 8.;
    /// Frames hold `(log10(power) + SHIFT) / SHIFT`.
    const SHIFT: f32 = 4.;

    /// Plans the transform and makes the filter bank.
    ///
    /// # Errors
    /// As [`LogMel::new`](super::LogMel::new).
    pub fn new(config: WhisperConfig) -> Result<Self, MelError> {
        let WhisperConfig { sample_rate, fft, hop, bands } = config;
        let high_hz = f64::min(8000., f64::from(sample_rate) / 2.);
        MelConfig { high_hz, ..MelConfig::new(sample_rate, fft, hop, bands) }.validate()?;
        let (low_hz, mel) = (0., Mel::Slaney);
        Ok(Self {
            spectrum: PowerSpectrum::new(hann_f32(fft, fft), fft),
            bank: Bank::new(BankConfig { sample_rate, fft, bands, low_hz, high_hz, mel }),
            config,
        })
    }

    /// Its shape.
    pub fn config(&self) -> &WhisperConfig {
        &self.config
    }

    /// How many samples `frames` frames are of.
    pub fn samples(&self, frames: usize) -> usize {
        frames * self.config.hop
    }

    /// Mono samples, cut off or followed by silence so that they are `frames` frames, as `[T, bands]`,
    /// row by row. `T` counts the frames that samples reach into; those that are missing are filled
    /// with [`silence`](Self::silence).
    pub fn compute(&self, samples: &[f32], frames: usize) -> Vec<f32> {
        let WhisperConfig { fft, hop, bands, .. } = self.config;
        let mut whole = samples[..samples.len().min(self.samples(frames))].to_vec();
        let heard = (whole.len() + fft / 2).div_ceil(hop).min(frames);
        // At the end of all frames, not of the samples, the signal is mirrored.
        whole.resize(self.samples(frames), 0.);
        let padded = reflect(&whole, fft / 2);
        let mut mel = Vec::with_capacity(heard * bands);
        self.spectrum.run(
            heard,
            |t, frame| frame.copy_from_slice(&padded[t * hop..][..fft]),
            |power| mel.extend(self.bank.apply(power).map(|p| p.max(Self::FLOOR).log10())),
        );
        let loudest = mel.iter().copied().fold(Self::FLOOR.log10(), f32::max);
        for x in &mut mel {
            *x = (x.max(loudest - Self::RANGE) + Self::SHIFT) / Self::SHIFT;
        }
        mel
    }

    /// What silence is in a recording whose loudest value in any frame is `loudest`.
    pub fn silence(loudest: f32) -> f32 {
        let floor = (Self::FLOOR.log10() + Self::SHIFT) / Self::SHIFT;
        floor.max(loudest - Self::RANGE / Self::SHIFT)
    }
}

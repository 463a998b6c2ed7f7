//! The frames of honk (Tang and Lin 2018): cepstra of librosa's mel spectrogram.

use super::{
    bank::{Bank, BankConfig, Mel},
    cosines::Cosines,
    spectrum::{PowerSpectrum, hann_f32, reflect},
};

/// Computes cepstra at 16 kHz: windows of 30 ms, every 10 ms, in 40 of Slaney's mel bands from 20 Hz
/// to 4 kHz; of their logarithms, all 40 coefficients of the orthonormal cosine transform
/// (librosa's `melspectrogram` and `filters.dct`).
#[derive(Debug, Clone)]
pub struct Cepstra {
    spectrum: PowerSpectrum<f32>,
    bank: Bank,
    cosines: Cosines,
}

impl Cepstra {
    /// Samples a second, in Hz.
    pub const SAMPLE_RATE: u32 = 16_000;
    /// Coefficients of a frame.
    pub const BANDS: usize = 40;
    /// From one window to the next, in samples.
    pub const HOP: usize = 160;
    /// Frames of the second that honk was made for.
    pub const USUAL: usize = 101;
    /// The fewest frames that honk's pooling leaves something of.
    pub const FEWEST: usize = 4;
    /// The length of the window, in samples.
    pub const WINDOW: usize = 480;

    /// Plans the transforms and makes the filter bank.
    pub fn new() -> Self {
        let (fft, bands) = (Self::WINDOW, Self::BANDS);
        Self {
            spectrum: PowerSpectrum::new(hann_f32(fft, fft), fft),
            bank: Bank::new(BankConfig {
                sample_rate: Self::SAMPLE_RATE,
                fft,
                bands,
                low_hz: 20.,
                high_hz: 4000.,
                mel: Mel::Slaney,
            }),
            cosines: Cosines::new(bands, bands),
        }
    }

    /// How many samples `frames` frames are of.
    pub fn samples(frames: usize) -> usize {
        frames.saturating_sub(1) * Self::HOP
    }

    /// Mono samples, cut off or followed by silence so that they are `frames` frames, as `[T, 40]`,
    /// row by row. `T` counts the frames that samples reach into; all others are zeros.
    pub fn compute(&self, samples: &[f32], frames: usize) -> Vec<f32> {
        let (half, bands) = (Self::WINDOW / 2, Self::BANDS);
        let mut whole = samples[..samples.len().min(Self::samples(frames))].to_vec();
        let heard = (whole.len() + half).div_ceil(Self::HOP).min(frames);
        whole.resize(Self::samples(frames), 0.);
        let padded = reflect(&whole, half);
        let mut cepstra = Vec::with_capacity(heard * bands);
        self.spectrum.run(
            heard,
            |t, frame| frame.copy_from_slice(&padded[t * Self::HOP..][..Self::WINDOW]),
            |power| {
                // The logarithm of silence is taken to be 0.
                let log = |p: f32| if p > 0. { p.ln() } else { 0. };
                let logs: Vec<f32> = self.bank.apply(power).map(log).collect();
                self.cosines.apply(&logs, &mut cepstra);
            },
        );
        cepstra
    }
}

impl Default for Cepstra {
    fn default() -> Self {
        Self::new()
    }
}

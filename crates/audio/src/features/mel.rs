//! Log-mel spectrograms, as torchaudio's `MelSpectrogram` computes them.
//!
//! A periodic Hann window around every `hop`-th sample, the power of its Fourier transform, summed
//! in triangular bands that are equally wide on the mel scale (HTK's: `2595 log10(1 + f / 700)`),
//! and the logarithm of that. The signal is reflected at its ends, so that the first window is
//! centred at the first sample (torchaudio 2.11, `functional.spectrogram` and `melscale_fbanks`
//! with `center=True`, `pad_mode="reflect"`, `power=2`, `norm=None`, `mel_scale="htk"`).

use super::{
    bank::{Bank, BankConfig, Mel},
    spectrum::{PowerSpectrum, hann_f32, reflect},
};

/// Added to the power in a band before its logarithm is taken, so that silence has one.
const FLOOR: f32 = 1e-6;

/// The shape of a log-mel spectrogram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MelConfig {
    /// Samples a second, in Hz.
    pub sample_rate: u32,
    /// The length of the window, in samples.
    pub window: usize,
    /// From one window to the next, in samples.
    pub hop: usize,
    /// The length of the Fourier transform, in samples; beyond the window it is filled with zeros.
    pub fft: usize,
    /// The number of mel bands.
    pub bands: usize,
    /// The lower edge of the lowest band, in Hz.
    pub low_hz: f64,
    /// The upper edge of the highest band, in Hz.
    pub high_hz: f64,
}

impl MelConfig {
    /// Bands from 0 Hz to half the sample rate, and a transform as long as the window.
    pub fn new(sample_rate: u32, window: usize, hop: usize, bands: usize) -> Self {
        let high_hz = f64::from(sample_rate) / 2.;
        Self { sample_rate, window, hop, fft: window, bands, low_hz: 0., high_hz }
    }

    /// How many frames `samples` samples give.
    pub fn frames(&self, samples: usize) -> usize {
        // The mirrored ends add twice half a transform, rounded down: one less if it is odd.
        if samples == 0 { 0 } else { 1 + (samples - self.fft % 2) / self.hop }
    }

    /// How many samples it takes to know the first `frames` frames.
    pub fn samples(&self, frames: usize) -> usize {
        // Half a transform on either side of the last window's centre, and as much after the first
        // sample, to be mirrored.
        frames.saturating_sub(1) * self.hop + self.fft / 2 + 1
    }

    pub(super) fn validate(&self) -> Result<(), MelError> {
        /// Half a minute at 32 kHz.
        const LONGEST: usize = 1 << 20;
        let Self { sample_rate, window, hop, fft, bands, low_hz, high_hz } = *self;
        let nyquist = f64::from(sample_rate) / 2.;
        let check =
            |holds: bool, problem: String| if holds { Ok(()) } else { Err(MelError(problem)) };
        check(window >= 2, format!("a window of {window} samples: at least 2 are needed"))?;
        check(hop >= 1, "a hop of 0 samples: at least 1 is needed".into())?;
        check(
            (window..=LONGEST).contains(&fft),
            format!(
                "a Fourier transform of {fft} samples: expected {window} (the window) to {LONGEST}"
            ),
        )?;
        check(bands >= 1, "0 mel bands: at least 1 is needed".into())?;
        check(
            0. <= low_hz && low_hz < high_hz && high_hz <= nyquist,
            format!(
                "bands from {low_hz} Hz to {high_hz} Hz: expected a rising range within 0 Hz to {nyquist} Hz"
            ),
        )
    }
}

/// Why a [`MelConfig`] cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct MelError(pub(super) String);

/// Computes log-mel spectrograms of one shape.
#[derive(Debug, Clone)]
pub struct LogMel {
    config: MelConfig,
    spectrum: PowerSpectrum<f32>,
    bank: Bank,
}

impl LogMel {
    /// Plans the transform and makes the filter bank. A band that is narrower than the distance of
    /// two bins may hold none; it is then always silent.
    ///
    /// # Errors
    /// If the window, the hop or the number of bands is too small, the transform is shorter than
    /// the window, or the bands do not fit between 0 Hz and half the sample rate.
    pub fn new(config: MelConfig) -> Result<Self, MelError> {
        config.validate()?;
        let MelConfig { sample_rate, window, fft, bands, low_hz, high_hz, .. } = config;
        let mel = Mel::Htk;
        Ok(Self {
            spectrum: PowerSpectrum::new(hann_f32(window, window), fft),
            bank: Bank::new(BankConfig { sample_rate, fft, bands, low_hz, high_hz, mel }),
            config,
        })
    }

    /// Its shape.
    pub fn config(&self) -> &MelConfig {
        &self.config
    }

    /// The log-mel spectrogram of mono samples: `[T, bands]`, row by row, of
    /// `ln(power + 1e-6)`, where `T` is [`MelConfig::frames`].
    pub fn compute(&self, samples: &[f32]) -> Vec<f32> {
        let mut mel = self.powers(samples);
        mel.iter_mut().for_each(|p| *p = ln(*p + FLOOR));
        mel
    }

    /// The powers, without a logarithm.
    pub(super) fn powers(&self, samples: &[f32]) -> Vec<f32> {
        let MelConfig { window, hop, fft, bands, .. } = self.config;
        let frames = self.config.frames(samples.len());
        let padded = reflect(samples, fft / 2);
        // A window shorter than the transform is centred in it.
        let margin = (fft - window) / 2;
        let mut mel = Vec::with_capacity(frames * bands);
        self.spectrum.run(
            frames,
            |t, frame| frame.copy_from_slice(&padded[t * hop + margin..][..window]),
            |power| mel.extend(self.bank.apply(power)),
        );
        mel
    }
}

/// The natural logarithm of a positive normal number, in arithmetic that several numbers go through
/// at once.
fn ln(x: f32) -> f32 {
    /// The bits of the root of a half, rounded: what a mantissa starts from.
    const START: u32 = 0x3f35_0000;
    let bits = x.to_bits().wrapping_sub(START);
    let exponent = (bits as i32 >> 23) as f32;
    let mantissa = f32::from_bits((bits & 0x007f_ffff) + START);
    // The series of the area hyperbolic tangent; at the ends, s is 0.172.
    let s = (mantissa - 1.) / (mantissa + 1.);
    let z = s * s;
    let series = z * (1. / 3. + z * (1. / 5. + z * (1. / 7. + z * (1. / 9.))));
    exponent * std::f32::consts::LN_2 + 2. * (s + s * series)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logarithm_is_as_exact_as_its_type() {
        let mut x = FLOOR;
        while x < 1e12 {
            let exact = f64::from(x).ln();
            let off = (f64::from(ln(x)) - exact).abs();
            assert!(off <= 1.5e-7 * exact.abs().max(1.), "ln {x}: off by {off:e}");
            x *= 1.000_37;
        }
        assert_eq!(ln(1.), 0.);
    }
}

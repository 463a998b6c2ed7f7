//! Mel-frequency cepstral coefficients, as torchaudio's `MFCC` computes them and as Kaldi does
//! (Davis and Mermelstein 1980).

use std::f64::consts::PI;

use super::{
    cosines::Cosines,
    kaldi::{KaldiConfig, KaldiMel},
    mel::{LogMel, MelConfig, MelError},
};

/// The logarithm that coefficients are taken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MfccLog {
    /// Decibels, cut off at 80 below the loudest: torchaudio's default.
    Decibels,
    /// `ln(power + 1e-6)`: its `log_mels=True`.
    Natural,
}

/// Computes the first cosine coefficients of a mel spectrogram's logarithm.
#[derive(Debug, Clone)]
pub struct Mfcc {
    mel: LogMel,
    log: MfccLog,
    cosines: Cosines,
}

impl Mfcc {
    /// The least power that is told from silence in decibels.
    const FLOOR: f32 = 1e-10;
    /// From the loudest to the quietest, in decibels.
    const RANGE: f32 = 80.;

    /// The first `coefficients` of spectrograms of this shape.
    ///
    /// # Errors
    /// As [`LogMel::new`], and if there are to be no coefficients, or more than bands.
    pub fn new(mel: MelConfig, coefficients: usize, log: MfccLog) -> Result<Self, MelError> {
        check(coefficients, mel.bands)?;
        let cosines = Cosines::new(coefficients, mel.bands);
        Ok(Self { mel: LogMel::new(mel)?, log, cosines })
    }

    /// The shape of the spectrograms.
    pub fn mel(&self) -> &MelConfig {
        self.mel.config()
    }

    /// How many there are of a frame.
    pub fn coefficients(&self) -> usize {
        self.cosines.coefficients()
    }

    /// The coefficients of mono samples, `[T, coefficients]`, row by row, where `T` is
    /// [`MelConfig::frames`].
    pub fn compute(&self, samples: &[f32]) -> Vec<f32> {
        let mel = match self.log {
            MfccLog::Natural => self.mel.compute(samples),
            MfccLog::Decibels => {
                let mut mel = self.mel.powers(samples);
                mel.iter_mut().for_each(|p| *p = 10. * p.max(Self::FLOOR).log10());
                let loudest = mel.iter().copied().fold(f32::MIN, f32::max);
                mel.iter_mut().for_each(|db| *db = db.max(loudest - Self::RANGE));
                mel
            }
        };
        transform(&mel, self.mel.config().bands, &self.cosines)
    }
}

/// Computes Kaldi's coefficients, as torchaudio's `compliance.kaldi.mfcc` does without dither and
/// without energy.
#[derive(Debug, Clone)]
pub struct KaldiMfcc {
    mel: KaldiMel,
    cosines: Cosines,
}

impl KaldiMfcc {
    /// The first `coefficients` of Kaldi's filter bank, higher ones weighted by a liftering of
    /// `lifter`; Kaldi's are 13 of 23 bands and 22. 0: unweighted.
    ///
    /// # Errors
    /// As [`KaldiMel::new`], if there are to be no coefficients or more than bands, or if the
    /// liftering is no number from 0.
    pub fn new(mel: KaldiConfig, coefficients: usize, lifter: f64) -> Result<Self, MelError> {
        check(coefficients, mel.bands)?;
        if !(lifter.is_finite() && lifter >= 0.) {
            return Err(MelError(format!("a liftering of {lifter}: expected a number from 0")));
        }
        let weight = |i: usize| match lifter {
            0. => 1.,
            q => 1. + q / 2. * (PI * i as f64 / q).sin(),
        };
        let cosines = Cosines::new(coefficients, mel.bands).weighted(weight);
        Ok(Self { mel: KaldiMel::new(mel)?, cosines })
    }

    /// The coefficients of mono samples, `[T, coefficients]`, row by row, where `T` is
    /// [`KaldiMel::frames`].
    pub fn compute(&self, samples: &[f32]) -> Vec<f32> {
        transform(&self.mel.compute(samples), self.mel.config().bands, &self.cosines)
    }
}

fn transform(mel: &[f32], bands: usize, cosines: &Cosines) -> Vec<f32> {
    let mut cepstra = vec![];
    mel.chunks_exact(bands).for_each(|logs| cosines.apply(logs, &mut cepstra));
    cepstra
}

fn check(coefficients: usize, bands: usize) -> Result<(), MelError> {
    match (1..=bands).contains(&coefficients) {
        true => Ok(()),
        false => Err(MelError(format!(
            "{coefficients} coefficients of {bands} bands: at least 1 and at most one a band are possible"
        ))),
    }
}

//! The options of recordings, and their ranges.

use std::{
    fmt::{self, Display},
    ops::RangeInclusive,
};

use crosstune_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::{
    augment::Augment,
    features::{FrontEnd, KaldiConfig, KaldiMel, LogMel, MelConfig, MelError, Mfcc, MfccLog},
    long::Long,
    range::within,
};

/// The options of an [`AudioSettings`](crate::AudioSettings). Options left open (`None`) follow the
/// pretrained model, if it was trained on audio, or else a survey of the training set or the
/// defaults.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AudioOptions {
    /// The rate that every recording is resampled to, in Hz; else the most common one of the
    /// training set, at most [`HIGHEST_RATE`](Self::HIGHEST_RATE), which is also used until then.
    pub sample_rate: Option<u32>,
    /// The features of a frame; else log-mel bands.
    pub features: Option<FrameFeatures>,
    /// The length of the analysis window, in milliseconds; else [`WINDOW_MS`](Self::WINDOW_MS), or
    /// Kaldi's.
    pub window_ms: Option<f64>,
    /// From one window to the next, in milliseconds; else [`HOP_MS`](Self::HOP_MS).
    pub hop_ms: Option<f64>,
    /// The number of mel bands; else [`BANDS`](Self::BANDS).
    pub bands: Option<usize>,
    /// The number of cepstral coefficients; else [`COEFFICIENTS`](Self::COEFFICIENTS).
    pub coefficients: Option<usize>,
    /// The longest sequence, in frames; longer recordings are truncated. For a model that takes the
    /// waveform, a frame is a position of the sequence that its convolutions make. Else enough for
    /// 95 % of the training set, within [`FRAMES`](Self::FRAMES), whose end is used until then.
    pub frames: Option<usize>,
    /// How longer recordings are handled. Else, if more than 5 % of the training set are longer, in
    /// windows, unless those would be more than [`MOST_WINDOWS`](Self::MOST_WINDOWS); otherwise they
    /// are truncated.
    pub long: Option<Long>,
    /// The overlap of consecutive windows, as a fraction; else [`OVERLAP`](Self::OVERLAP).
    pub overlap: Option<f64>,
    /// Silence at both ends is trimmed: everything this many decibels or more below the loudest
    /// part.
    pub trim_db: Option<f64>,
    /// The augmentation of training samples.
    pub augment: Augment,
}

impl AudioOptions {
    /// The usual length of the analysis window, in milliseconds.
    pub const WINDOW_MS: f64 = 32.;
    /// The usual distance of one window from the next, in milliseconds.
    pub const HOP_MS: f64 = 10.;
    /// The usual number of mel bands.
    pub const BANDS: usize = 40;
    /// The usual number of cepstral coefficients.
    pub const COEFFICIENTS: usize = 13;
    /// The usual overlap of consecutive windows, as a fraction.
    pub const OVERLAP: f64 = 0.5;
    /// The highest sample rate that a survey chooses, in Hz. Speech and most everyday sounds lie
    /// below half of it.
    pub const HIGHEST_RATE: u32 = 16_000;
    /// The fewest and the most frames that a survey chooses: the cost of attention grows with the
    /// square of their number. With the usual hop, clips of five seconds fit.
    pub const FRAMES: RangeInclusive<usize> = 16..=512;
    /// The length of a sequence, in seconds, that a pretrained model which takes waveforms of any
    /// length is given without a training set to survey: Whisper's.
    pub const UNSURVEYED_SECONDS: usize = 30;
    /// The most windows that a survey chooses, in the mean over the training set: a model is asked
    /// about each of them.
    pub const MOST_WINDOWS: f64 = 16.;

    /// The sample rates allowed, in Hz.
    pub(crate) const RATES: RangeInclusive<u32> = 1_000..=192_000;

    /// Checks every option, by its name on the command line.
    ///
    /// # Errors
    /// The first option that is out of range.
    pub fn validate(&self) -> Result<()> {
        let Self { sample_rate, frames, .. } = self;
        let (window_ms, hop_ms) = (self.window_ms(), self.hop_ms());
        if let Some(rate) = sample_rate {
            within("--sample-rate", rate, Self::RATES, " Hz")?;
        }
        // At the lowest rate, the shortest window has four samples and the shortest hop has one:
        // what passes here is possible at every rate.
        within("--window-ms", &window_ms, 4.0..=1000.0, " ms")?;
        within("--hop-ms", &hop_ms, 1.0..=window_ms, " ms (the window)")?;
        within("--bands", &self.bands(), 1..=512, "")?;
        within("--coefficients", &self.coefficients(), 1..=self.bands(), " (the bands)")?;
        self.check_features()?;
        if let Some(frames) = frames {
            within("--frames", frames, 1..=8192, "")?;
        }
        within("--overlap", &self.overlap(), 0.0..=0.95, "")?;
        if self.overlap.is_some() && self.long() != Long::Windows {
            let problem = "there are windows to overlap only with --long windows".into();
            return Err(Error::Setting { setting: "--overlap", problem });
        }
        if let Some(trim) = &self.trim_db {
            within("--trim-silence", trim, 1.0..=120.0, " dB")?;
        }
        self.augment.validate()
    }

    /// Checks that the options fit the features.
    fn check_features(&self) -> Result<()> {
        let fbank = self.features() == FrameFeatures::Fbank;
        let kaldi = "Kaldi's windows have 25 ms, one every 10 ms; leave it out";
        for (setting, wrong, problem) in [
            (
                "--coefficients",
                self.coefficients.is_some() && self.features() != FrameFeatures::Mfcc,
                "there are cepstral coefficients only with --features mfcc",
            ),
            ("--window-ms", fbank && self.window_ms() != f64::from(KaldiMel::WINDOW_MS), kaldi),
            ("--hop-ms", fbank && self.hop_ms() != f64::from(KaldiMel::HOP_MS), kaldi),
        ] {
            if wrong {
                return Err(Error::Setting { setting, problem: problem.into() });
            }
        }
        Ok(())
    }

    /// The front end, from recordings to frames, for a model that was not trained on audio.
    pub(crate) fn front_end(&self) -> Result<FrontEnd, MelError> {
        let mel = self.mel();
        Ok(match self.features() {
            FrameFeatures::LogMel => FrontEnd::LogMel(LogMel::new(mel)?),
            FrameFeatures::Fbank => {
                let config = KaldiConfig { bands: mel.bands, ..KaldiConfig::new(mel.sample_rate) };
                FrontEnd::Fbank(KaldiMel::new(config)?)
            }
            FrameFeatures::Mfcc => {
                FrontEnd::Mfcc(Mfcc::new(mel, self.coefficients(), MfccLog::Decibels)?)
            }
        })
    }

    /// The features of a frame.
    pub fn features(&self) -> FrameFeatures {
        self.features.unwrap_or_default()
    }

    /// The number of cepstral coefficients: at most one for each band.
    pub fn coefficients(&self) -> usize {
        self.coefficients.unwrap_or(Self::COEFFICIENTS.min(self.bands()))
    }

    /// The shape of the log-mel spectrograms.
    pub fn mel(&self) -> MelConfig {
        let rate = self.sample_rate.unwrap_or(Self::HIGHEST_RATE);
        let samples = |ms: f64| (ms * f64::from(rate) / 1000.).round() as usize;
        MelConfig::new(rate, samples(self.window_ms()), samples(self.hop_ms()), self.bands())
    }

    /// The length of the analysis window, in milliseconds.
    pub fn window_ms(&self) -> f64 {
        self.window_ms.unwrap_or(match self.features() {
            FrameFeatures::Fbank => KaldiMel::WINDOW_MS.into(),
            FrameFeatures::LogMel | FrameFeatures::Mfcc => Self::WINDOW_MS,
        })
    }

    /// From one window to the next, in milliseconds.
    pub fn hop_ms(&self) -> f64 {
        self.hop_ms.unwrap_or(Self::HOP_MS)
    }

    /// The number of mel bands.
    pub fn bands(&self) -> usize {
        self.bands.unwrap_or(Self::BANDS)
    }

    /// How longer recordings are handled. Left open: in windows if their overlap is given.
    pub fn long(&self) -> Long {
        self.long.unwrap_or(match self.overlap {
            Some(_) => Long::Windows,
            None => Long::Cut,
        })
    }

    /// The overlap of consecutive windows, as a fraction.
    pub fn overlap(&self) -> f64 {
        self.overlap.unwrap_or(Self::OVERLAP)
    }

    /// The longest sequence, in frames.
    pub fn frames(&self) -> usize {
        self.frames.unwrap_or(*Self::FRAMES.end())
    }
}

/// The features of a frame, for a model that was not trained on audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FrameFeatures {
    /// The logarithm of the power in mel bands ([`LogMel`]).
    #[default]
    LogMel,
    /// Kaldi's filter bank ([`KaldiMel`]), under its own window, as torchaudio's
    /// `compliance.kaldi.fbank` has it.
    Fbank,
    /// Mel-frequency cepstral coefficients ([`Mfcc`]), as torchaudio's `MFCC` has them.
    Mfcc,
}

impl FrameFeatures {
    /// All, in the order of their names here.
    pub const ALL: [Self; 3] = [Self::LogMel, Self::Fbank, Self::Mfcc];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::LogMel => "log-mel",
            Self::Fbank => "fbank",
            Self::Mfcc => "mfcc",
        }
    }
}

impl Display for FrameFeatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

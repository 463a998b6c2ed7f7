//! The command-line options of recordings.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use crosstune_cli::ModalityArgs;
use crosstune_core::{Error, Result};

use crate::{
    augment::Augment,
    long::Long,
    options::{AudioOptions, FrameFeatures},
    settings::AudioSettings,
};

/// How recordings are prepared. Options left out follow the pretrained model or, for sources of
/// another modality, the training set. A pretrained audio model keeps its own front end: only its
/// length may be chosen, and only to be shorter.
#[derive(Debug, Clone, clap::Args)]
pub struct AudioArgs {
    /// Sample rate to resample recordings to [default: the most common one of the training set, at
    /// most 16000]
    #[arg(long, value_name = "HZ")]
    pub sample_rate: Option<u32>,
    /// Features of a frame: log-mel bands, Kaldi's filter bank, or MFCCs [default: log-mel]
    #[arg(
        long,
        value_parser = PossibleValuesParser::new(FrameFeatures::ALL.map(FrameFeatures::name))
            .map(features)
    )]
    pub features: Option<FrameFeatures>,
    /// Length of the analysis window, in milliseconds [default: 32]
    #[arg(long, value_name = "MS")]
    pub window_ms: Option<f64>,
    /// Hop from one analysis window to the next, in milliseconds [default: 10]
    #[arg(long, value_name = "MS")]
    pub hop_ms: Option<f64>,
    /// Number of mel bands [default: 40]
    #[arg(long, value_name = "N")]
    pub bands: Option<usize>,
    /// Number of MFCCs, with --features mfcc [default: 13]
    #[arg(long, value_name = "N")]
    pub coefficients: Option<usize>,
    /// Frames that the model takes at once, or positions of a pretrained model [default: enough for
    /// 95 % of the training set, within 16 to 512; all that a pretrained audio model takes; with
    /// --task transcribe, enough for the longest training recording]
    #[arg(long, value_name = "N")]
    pub frames: Option<usize>,
    /// Longer recordings: truncate (cut); crop (random in training, else the centre); or average
    /// predictions over sliding windows (random in training) [default: windows, if more than 5 % of
    /// the training set are longer and take 16 windows at most, in the mean; else cut]
    #[arg(
        long,
        value_parser = PossibleValuesParser::new(["cut", "crop", "windows"]).map(long)
    )]
    pub long: Option<Long>,
    /// Overlap of consecutive windows, as a fraction [default: 0.5; 1/3 with --task transcribe]
    #[arg(long, value_name = "FRACTION")]
    pub overlap: Option<f64>,
    /// Trim silence at both ends: everything this many decibels or more below the loudest part
    #[arg(long, value_name = "DB")]
    pub trim_silence: Option<f64>,
    /// Augmentation: random gain of up to this many decibels, louder or quieter
    #[arg(long, value_name = "DB")]
    pub gain: Option<f64>,
    /// Augmentation: white noise with a random signal-to-noise ratio from this many decibels to 20
    /// more
    #[arg(long, value_name = "DB", allow_negative_numbers = true)]
    pub noise: Option<f64>,
    /// Augmentation: random shift in time of up to this many milliseconds
    #[arg(long, value_name = "MS")]
    pub shift: Option<f64>,
    /// SpecAugment: number of time and of frequency masks; usually 2. A model that takes the waveform
    /// masks what its convolutions make of it
    #[arg(long, value_name = "N")]
    pub spec_augment: Option<usize>,
    /// Speed perturbation: play each recording at one of these speeds, drawn anew each epoch, such as
    /// 0.9,1.0,1.1
    #[arg(long, value_name = "SPEEDS", value_delimiter = ',')]
    pub speed: Vec<f64>,
}

fn features(name: String) -> FrameFeatures {
    let named = FrameFeatures::ALL.into_iter().find(|features| features.name() == name);
    named.unwrap_or_default()
}

fn long(name: String) -> Long {
    match name.as_str() {
        "crop" => Long::Crop,
        "windows" => Long::Windows,
        _ => Long::Cut,
    }
}

impl ModalityArgs for AudioArgs {
    type Modality = AudioSettings;
}

impl TryFrom<AudioArgs> for AudioSettings {
    type Error = Error;

    fn try_from(args: AudioArgs) -> Result<Self> {
        let AudioArgs { sample_rate, window_ms, hop_ms, bands, frames, long, overlap, .. } = args;
        let AudioArgs { features, coefficients, .. } = args;
        let augment = Augment {
            gain_db: args.gain,
            noise_db: args.noise,
            shift_ms: args.shift,
            masks: args.spec_augment,
            speeds: args.speed,
        };
        let trim_db = args.trim_silence;
        Self::new(AudioOptions {
            sample_rate,
            features,
            window_ms,
            hop_ms,
            bands,
            coefficients,
            frames,
            long,
            overlap,
            trim_db,
            augment,
        })
    }
}

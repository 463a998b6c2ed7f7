//! Options of the command line for recordings.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use crosstune_cli::ModalityArgs;
use crosstune_core::{Error, Result};

use crate::{
    augment::Augment,
    long::Long,
    options::{AudioOptions, FrameFeatures},
    settings::AudioSettings,
};

/// How recordings are prepared. A pretrained model of sound brings all of this along: of what it
/// takes, only the length may be chosen, and only to be shorter.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Recordings")]
pub struct AudioArgs {
    /// Resample recordings to this rate [default: the most common one of the training set, at most
    /// 16000]
    #[arg(long, value_name = "HZ")]
    pub sample_rate: Option<u32>,
    /// What a frame holds: the logarithm of mel bands, Kaldi's filter bank, or mel-frequency cepstral
    /// coefficients [default: log-mel]
    #[arg(
        long,
        value_parser = PossibleValuesParser::new(FrameFeatures::ALL.map(FrameFeatures::name))
            .map(features)
    )]
    pub features: Option<FrameFeatures>,
    /// Length of the analysis window, in milliseconds [default: 32]
    #[arg(long, value_name = "MS")]
    pub window_ms: Option<f64>,
    /// From one analysis window to the next, in milliseconds [default: 10]
    #[arg(long, value_name = "MS")]
    pub hop_ms: Option<f64>,
    /// Number of mel bands [default: 40]
    #[arg(long, value_name = "N")]
    pub bands: Option<usize>,
    /// Number of cepstral coefficients, with --features mfcc [default: 13]
    #[arg(long, value_name = "N")]
    pub coefficients: Option<usize>,
    /// Cut recordings off after so many windows, or places of a pretrained model's sequence
    /// [default: what holds 95 % of the training set whole, 16 to 256]
    #[arg(long, value_name = "N")]
    pub frames: Option<usize>,
    /// What becomes of longer recordings: cut off; cropped, at random in training and else to the
    /// middle; or heard in windows of this length over which predictions are averaged, of which
    /// training draws one anywhere
    #[arg(
        long,
        value_parser = PossibleValuesParser::new(["cut", "crop", "windows"]).map(long),
        default_value = "cut"
    )]
    pub long: Long,
    /// The share of a window that the next one covers again [default: 0.5]
    #[arg(long, value_name = "SHARE")]
    pub overlap: Option<f64>,
    /// Cut off silence at both ends: what is so many decibels or more below the loudest
    #[arg(long, value_name = "DB")]
    pub trim_silence: Option<f64>,
    /// In training, make recordings louder or quieter by up to so many decibels
    #[arg(long, value_name = "DB")]
    pub gain: Option<f64>,
    /// In training, add white noise that is quieter than the recording by so many decibels, or by up
    /// to 20 more
    #[arg(long, value_name = "DB", allow_negative_numbers = true)]
    pub noise: Option<f64>,
    /// In training, shift recordings in time by up to so many milliseconds
    #[arg(long, value_name = "MS")]
    pub shift: Option<f64>,
    /// In training, mask so many stretches of time and ranges of bands (SpecAugment) [usual: 2]
    #[arg(long, value_name = "N")]
    pub spec_augment: Option<usize>,
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

//! Options of the command line for recordings.

use crosstune_cli::ModalityArgs;
use crosstune_core::{Error, Result};

use crate::{AudioOptions, AudioSettings};

/// How recordings are prepared. A pretrained model of sound brings all of this along: of what it
/// takes, only the length may be chosen, and only to be shorter.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Recordings")]
pub struct AudioArgs {
    /// Resample recordings to this rate [default: the most common one of the training set, at most
    /// 16000]
    #[arg(long, value_name = "HZ")]
    pub sample_rate: Option<u32>,
    /// Length of the analysis window, in milliseconds [default: 32]
    #[arg(long, value_name = "MS")]
    pub window_ms: Option<f64>,
    /// From one analysis window to the next, in milliseconds [default: 10]
    #[arg(long, value_name = "MS")]
    pub hop_ms: Option<f64>,
    /// Number of mel bands [default: 40]
    #[arg(long, value_name = "N")]
    pub bands: Option<usize>,
    /// Cut recordings off after so many windows, or places of a pretrained model's sequence
    /// [default: what holds 95 % of the training set whole, 16 to 256]
    #[arg(long, value_name = "N")]
    pub frames: Option<usize>,
}

impl ModalityArgs for AudioArgs {
    type Modality = AudioSettings;
}

impl TryFrom<AudioArgs> for AudioSettings {
    type Error = Error;

    fn try_from(args: AudioArgs) -> Result<Self> {
        let AudioArgs { sample_rate, window_ms, hop_ms, bands, frames } = args;
        Self::new(AudioOptions { sample_rate, window_ms, hop_ms, bands, frames })
    }
}

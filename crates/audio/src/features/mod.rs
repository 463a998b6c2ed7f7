//! The features of a recording.

mod bank;
mod cepstra;
mod clap;
mod cosines;
mod front_end;
mod kaldi;
mod mel;
mod mfcc;
mod spectrum;
mod waveform;
mod whisper;

pub use cepstra::Cepstra;
pub use clap::{ClapConfig, ClapMel, ClapScale, Filling};
pub(crate) use front_end::{FrontEnd, Padding};
pub use kaldi::{BandLevel, KaldiConfig, KaldiMel, KaldiWindow, SampleRange};
pub use mel::{LogMel, MelConfig, MelError};
pub use mfcc::{KaldiMfcc, Mfcc, MfccLog};
pub use waveform::{Ends, Level, Waveform, WaveformConfig};
pub use whisper::{WhisperConfig, WhisperMel};

//! The embedders that pretrained models of sound come with.

mod conv;
mod frames;
mod spectrogram;
mod waveform;

use crosstune_core::{Error, Form, Result};

pub use frames::FrameStem;
pub use spectrogram::{Sides, SpectrogramPatches, SpectrogramStem};
pub use waveform::WaveformEmbedder;

/// The width of the sequence that a trunk takes.
fn sequence_width(form: Form) -> Result<i64> {
    match form {
        Form::Sequence { width } => Ok(width),
        Form::Planes { .. } => Err(Error::Setting {
            setting: "--weights",
            problem: format!("the trunk takes {form}, but its embedder makes a sequence"),
        }),
    }
}

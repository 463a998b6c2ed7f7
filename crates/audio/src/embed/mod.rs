//! The embedders of pretrained audio models.

mod channel_norm;
mod conv;
mod folded;
mod frames;
mod spectrogram;
mod waveform;

pub use folded::FoldedSpectrogram;
pub use frames::FrameStem;
pub use spectrogram::{Sides, SpectrogramPatches, SpectrogramStem};
pub(crate) use spectrogram::{fresh_stem, of_one_channel};
pub use waveform::WaveformEmbedder;

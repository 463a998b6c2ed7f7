//! The embedders of pretrained audio models.

mod channel_norm;
mod conv;
mod folded;
mod frames;
mod mask;
mod positions;
mod spectrogram;
mod stacked;
mod waveform;

pub use folded::FoldedSpectrogram;
pub use frames::FrameStem;
pub use spectrogram::{Sides, SpectrogramPatches, SpectrogramStem};
pub(crate) use spectrogram::{fresh_stem, of_one_channel};
pub use stacked::StackedFrames;
pub use waveform::WaveformEmbedder;

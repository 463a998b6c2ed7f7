//! Embedders: from a modality's batch to what a trunk accepts.

mod config;
mod embedder;
mod frames;
mod patches;
mod positioned;
mod stem;

pub use config::{
    ClassTokens, EmbedderConfig, FrameStemConfig, PatchEmbedderConfig, PositionTable,
    StackedFramesConfig, StemConfig, StemNorm, StemPool, TokenEmbedderConfig,
    WaveformEmbedderConfig, WaveformNorm, WaveformPositions,
};
pub use embedder::Embedder;
pub use frames::{FrameEmbedder, FrameEmbedderConfig};
pub use patches::TokenPatchEmbedder;
pub use positioned::PositionedNorm;
pub use stem::StemEmbedder;

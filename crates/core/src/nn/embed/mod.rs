//! Embedders: from a modality's batch to what a trunk accepts.

mod config;
mod embedder;
mod frames;
mod patch_config;
mod patches;
mod positioned;
mod stem;

pub use config::{
    EmbedderConfig, FrameStemConfig, PositionTable, StemConfig, StemNorm, StemPool,
    TokenEmbedderConfig, WaveformEmbedderConfig, WaveformNorm,
};
pub use embedder::Embedder;
pub use frames::{FrameEmbedder, FrameEmbedderConfig};
pub use patch_config::{ClassTokens, PatchEmbedderConfig, PatchPositions};
pub use patches::TokenPatchEmbedder;
pub use positioned::PositionedNorm;
pub use stem::StemEmbedder;

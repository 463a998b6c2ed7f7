//! Embedders: from a modality's batch to what a trunk accepts.

mod config;
mod embedder;
mod frames;
mod patch_map;
mod patch_config;
mod patches;
mod positioned;
mod projection;
mod stem;

pub use config::{
    EmbedderConfig, EmbeddingProjection, FrameStemConfig, PositionTable, StackedFramesConfig,
    TokenEmbedderConfig, WaveformEmbedderConfig, WaveformNorm, WaveformPositions,
};
pub use embedder::Embedder;
pub use frames::{FrameEmbedder, FrameEmbedderConfig};
pub use patch_config::{ClassTokens, PatchEmbedderConfig, PatchPositions};
pub use patch_map::{FoldedPatchesConfig, PatchMapConfig, PatchMapEmbedder};
pub use patches::TokenPatchEmbedder;
pub use positioned::PositionedNorm;
pub use stem::{StemConfig, StemEmbedder, StemPool};

//! How pictures reach a trunk: the embedder that it was trained with, or a fresh one.

mod embedder;
mod patches;

pub(crate) use embedder::EmbedderSource;
pub use patches::PatchEmbedder;

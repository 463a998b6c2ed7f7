//! The embedders of pictures: the one that a trunk was trained with, or a new one.

mod embedder;
mod patches;

pub(crate) use embedder::EmbedderSource;
pub use patches::PatchEmbedder;

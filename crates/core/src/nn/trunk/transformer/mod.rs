//! The one transformer that serves every family of checkpoints.

mod block;
mod config;
mod mlp;
mod transformer;

pub(in crate::nn) use mlp::Mlp;

pub use config::{FinalNorm, FirstNorm, LayerScale, LocalAttention, MlpKind, TransformerConfig};
pub use transformer::Transformer;

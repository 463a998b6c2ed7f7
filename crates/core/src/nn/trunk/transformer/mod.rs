//! The one transformer that serves every family of checkpoints.

mod block;
mod config;
mod transformer;

pub use config::{LayerScale, TransformerConfig};
pub use transformer::Transformer;

//! The one transformer that serves every family of checkpoints.

mod block;
mod config;
mod conformer;
mod convolution;
mod layer;
mod mlp;
mod transformer;

pub use config::{FinalNorm, FirstNorm, LayerScale, LocalAttention, MlpKind, TransformerConfig};
pub use convolution::{ConvolutionConfig, ConvolutionNorm, ConvolutionReach};
pub use transformer::Transformer;

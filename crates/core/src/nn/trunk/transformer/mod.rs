//! The one transformer that serves every family of checkpoints.

mod block;
mod config;
mod conformer;
mod convolution;
mod convolution_config;
mod layer;
mod mlp;
mod transformer;

pub use config::{FinalNorm, FirstNorm, LayerScale, LocalAttention, MlpKind, TransformerConfig};
pub use convolution_config::{ConvolutionConfig, ConvolutionNorm, ConvolutionReach};
pub use transformer::Transformer;

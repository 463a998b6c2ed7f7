//! The one transformer that serves every family of checkpoints.

mod block;
mod config;
mod input_conv;
mod conformer;
mod convolution;
mod convolution_config;
mod layer;
mod mlp;
mod packing;
mod transformer;

pub(in crate::nn) use mlp::Mlp;

pub use config::{FinalNorm, FirstNorm, LayerScale, LocalAttention, MlpKind, TransformerConfig};
pub use convolution_config::{ConvolutionConfig, ConvolutionNorm, ConvolutionReach};
pub use input_conv::InputConvolution;
pub use transformer::Transformer;

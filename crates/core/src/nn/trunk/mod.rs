//! Trunks: the pretrained body of a model, which knows no modality.

mod convnet;
mod swin;
mod transformer;
mod trunk;

pub use convnet::{
    Before, BlockKind, ConvNet, ConvNetConfig, ConvNextConfig, End, InvertedConfig, InvertedForm,
    ResponseNorm, Shortcut, Skip, Squeeze, SqueezeConfig, Stage,
};
pub use swin::{Swin, SwinConfig, SwinStage, SwinVersion, WindowPadding};
pub use transformer::{
    ConvolutionConfig, ConvolutionNorm, ConvolutionReach, FinalNorm, FirstNorm, InputConvolution,
    LayerScale, LocalAttention, MlpKind, Transformer, TransformerConfig,
};
pub use trunk::{Trunk, TrunkConfig};

pub(super) use transformer::Mlp;

//! Trunks: the pretrained body of a model, which knows no modality.

mod convnet;
mod transformer;
mod trunk;

pub use convnet::{Before, BlockKind, ConvNet, ConvNetConfig, End, Shortcut, Squeeze, Stage};
pub use transformer::{
    FinalNorm, FirstNorm, LayerScale, LocalAttention, MlpKind, Transformer, TransformerConfig,
};
pub use trunk::{Trunk, TrunkConfig};

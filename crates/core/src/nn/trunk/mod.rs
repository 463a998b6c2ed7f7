//! Trunks: the pretrained body of a model, which knows no modality.

mod resnet;
mod transformer;
mod trunk;

pub use resnet::{BlockKind, ResNet, ResNetConfig, Shortcut, Stage};
pub use transformer::{
    FinalNorm, FirstNorm, LayerScale, LocalAttention, MlpKind, Transformer, TransformerConfig,
};
pub use trunk::{Trunk, TrunkConfig};

pub(super) use transformer::Mlp;

//! Modules: each a config, a struct, `new`, `forward`, and a test against the reference.

mod attention;
mod classifier;
pub(crate) mod embed;
mod encoder;
mod features;
mod head;
mod layers;
mod pool;
mod position;
mod trunk;

pub use attention::AttentionKind;
pub use classifier::Classifier;
pub use embed::{
    ClassTokens, Embedder, EmbedderConfig, FoldedPatchesConfig, FrameEmbedder, FrameEmbedderConfig,
    FrameStemConfig, PatchEmbedderConfig, PatchMapConfig, PatchMapEmbedder, PositionedNorm,
    StemConfig, StemEmbedder, StemNorm, StemPool, TokenEmbedderConfig, TokenPatchEmbedder,
    WaveformEmbedderConfig, WaveformNorm,
};
pub use encoder::{CutPoint, Encoder};
pub use features::{Batch, FeatureShape, Features, Sequence};
pub use head::{Bias, Dense, Head, HeadConfig};
pub use layers::{
    Activation, BatchNorm2d, BatchNormStats, Conv2d, LayerNorm, Linear, NormPlacement, dropout,
};
pub use pool::Pool;
pub use position::Positions;
pub use trunk::{
    BlockKind, LayerScale, ResNet, ResNetConfig, Shortcut, Stage, Swin, SwinConfig, SwinStage,
    SwinVersion, Transformer, TransformerConfig, Trunk, TrunkConfig, WindowPadding,
};

pub(crate) use features::masked_mean;

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
    ClassTokens, Embedder, EmbedderConfig, FrameEmbedder, FrameEmbedderConfig, FrameStemConfig,
    PatchEmbedderConfig, PositionedNorm, StemConfig, StemEmbedder, StemPool, TokenEmbedderConfig,
    TokenPatchEmbedder, WaveformEmbedderConfig, WaveformNorm,
};
pub use encoder::{CutPoint, Encoder};
pub use features::{Batch, FeatureShape, Features, Sequence};
pub use head::{Bias, Dense, Head, HeadConfig};
pub use layers::{
    Activation, BatchNorm2d, BatchNormStats, Conv2d, ConvConfig, ConvNorm, LayerNorm, Linear,
    MapNorm, NormConfig, NormKind, NormPlacement, Padding, SqueezeExcite, dropout,
};
pub use pool::Pool;
pub use position::Positions;
pub use trunk::{
    Before, BlockKind, ConvNet, ConvNetConfig, ConvNextConfig, End, InvertedConfig, InvertedForm,
    LayerScale, ResponseNorm, Shortcut, Skip, Squeeze, SqueezeConfig, Stage, Transformer,
    TransformerConfig, Trunk, TrunkConfig,
};

pub(crate) use features::masked_mean;

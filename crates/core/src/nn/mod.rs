//! Modules: each a config, a struct, `new`, `forward`, and a test against the reference.

mod attention;
mod attention_pool;
mod classifier;
pub(crate) mod defaults;
pub(crate) mod embed;
mod encoder;
mod features;
mod head;
mod layers;
mod pool;
mod position;
mod trunk;

pub use attention::{AttentionBiases, AttentionKind, QkNorm};
pub use classifier::Classifier;
pub use embed::{
    ClassTokens, Embedder, EmbedderConfig, FrameEmbedder, FrameEmbedderConfig, FrameStemConfig,
    PatchEmbedderConfig, PatchPositions, PositionTable, PositionedNorm, StemConfig, StemEmbedder,
    StemNorm, StemPool, TokenEmbedderConfig, TokenPatchEmbedder, WaveformEmbedderConfig,
    WaveformNorm,
};
pub use encoder::{CutPoint, Encoder};
pub use features::{Batch, FeatureShape, Features, Sequence, TokenLayout};
pub use head::{Dense, Head, HeadConfig};
pub use layers::{
    Activation, BatchNorm2d, BatchNormStats, Bias, Conv2d, LayerNorm, Linear, Norm, NormKind,
    NormPlacement, SubNorm, dropout,
};
pub use pool::Pool;
pub use position::{
    BucketConfig, DisentangledConfig, DisentangledTerms, GridBiasConfig, GridTables,
    PositionConfig, PositionProjections, Positions, RotaryAxes, RotaryConfig, RotaryPairing,
    RotaryScaling,
};
pub use trunk::{
    BlockKind, FinalNorm, FirstNorm, LayerScale, LocalAttention, MlpKind, ResNet, ResNetConfig,
    Shortcut, Stage, Transformer, TransformerConfig, Trunk, TrunkConfig,
};

pub(crate) use features::masked_mean;

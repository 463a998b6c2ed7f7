//! Modules: each a config, a struct, `new`, `forward`, and a test against the reference.

mod activations;
mod attention;
mod attention_pool;
mod classifier;
pub(crate) mod defaults;
pub(crate) mod embed;
mod encoder;
mod encoder_onnx;
mod exporter;
mod features;
mod head;
mod layer_mix;
mod layers;
mod pool;
mod position;
mod positions;
mod trunk;

pub use attention::{AttentionBiases, AttentionKind, QkNorm};
pub use classifier::{Classifier, Logits};
pub use embed::{
    ClassTokens, Embedder, EmbedderConfig, EmbeddingProjection, FoldedPatchesConfig, FrameEmbedder,
    FrameEmbedderConfig, FrameStemConfig, PatchEmbedderConfig, PatchMapConfig, PatchMapEmbedder,
    PatchPositions, PositionTable, PositionedNorm, StackedFramesConfig, StemConfig, StemEmbedder,
    StemPool, TokenEmbedderConfig, TokenPatchEmbedder, WaveformEmbedderConfig, WaveformNorm,
    WaveformPositions,
};
pub use encoder::{CutPoint, Encoder};
pub use exporter::{Exporter, GraphEmbedding, GraphFeatures, GraphMap, GraphSequence};
pub use features::{Batch, FeatureShape, Features, Sequence, TokenLayout};
pub use head::{Dense, DenseNorm, Head, HeadConfig};
pub use layers::{
    Activation, BatchNorm2d, BatchNormStats, Bias, Conv2d, ConvConfig, ConvNorm, LayerNorm, Linear,
    MapNorm, MapNormKind, Norm, NormConfig, NormKind, NormPlacement, Padding, SqueezeExcite,
    SubNorm, dropout,
};
pub use pool::Pool;
pub use position::{
    BucketConfig, DisentangledConfig, DisentangledTerms, DistanceConfig, GridBiasConfig,
    GridTables, PositionConfig, PositionProjections, Positions, RotaryAxes, RotaryConfig,
    RotaryPairing, RotaryScaling,
};
pub use positions::ReadingOrder;
pub use trunk::{
    Before, BlockKind, ConvNet, ConvNetConfig, ConvNextConfig, ConvolutionConfig, ConvolutionNorm,
    ConvolutionReach, End, FinalNorm, FirstNorm, InputConvolution, InvertedConfig, InvertedForm,
    LayerScale, LocalAttention, MlpKind, ResponseNorm, Shortcut, Skip, Squeeze, SqueezeConfig,
    Stage, Swin, SwinConfig, SwinStage, SwinVersion, Transformer, TransformerConfig, Trunk,
    TrunkConfig, WindowPadding,
};

pub(crate) use activations::Activations;
pub(crate) use features::masked_mean;

//! Transfer learning across modalities: load pretrained weights, freeze layers, fine-tune.
//!
//! ```text
//!  photo.jpg  clip.wav  "a sentence"          config.json + model.safetensors
//!      │ Modality::read (rayon)                       │ Pretrained::open (mapped, lazy)
//!      ▼                                              ▼
//!   Samples ── Modality::batch ──► Batch       named tensors ── KeyMap (a table of names)
//!                                    │                │
//!                                    ▼                ▼
//!                                Embedder ────────► Trunk ────────► Pool ─────► Head ──► logits
//!                                (fresh, or        (pretrained,    [B, D]      (fresh)
//!                                 pretrained)       frozen by a Freeze)
//! ```
//!
//! An [`Embedder`] turns one modality's [`Batch`] into the features that a [`Trunk`] accepts. A
//! trunk is pretrained and knows no modality. So any source goes to any target: choose an embedder
//! of the target's modality that emits what the source's trunk accepts; [`Encoder::join`] checks
//! that it does.
//!
//! All parameters live in one store under our own names (`embed.…`, `trunk.blocks.3.attn.q.weight`,
//! `head.weight`); a publisher's names exist only in [key maps](weights::key_map). This crate knows
//! no modality: an adapter crate implements [`Modality`] once, and everything here serves it, from
//! [`Dataset`] to [`fit()`] and to run folders ([`run`]).
#![deny(missing_docs)]

// In order of dependency: a module imports only from those above it.
pub mod error;
pub mod random;
pub mod files;
mod libtorch;
pub mod distributed;
pub mod onnx;
pub mod task;
pub mod weights;
pub mod nn;
pub mod data;
pub mod spec;
pub mod family;
pub mod units;
pub mod modality;
pub mod model;
pub mod loader;
pub mod run;
pub mod predict;
pub mod export;
pub mod train;
pub mod transfer;

pub use data::{Dataset, Duplicate, Input, InputKind, Item, Layout, Split, duplicates};
pub use error::{BadSample, BoxError, Error, Location, Result};
pub use family::{Pretrained, PretrainedConfig, PretrainedHead, SourceOptions, families};
pub use libtorch::{MatmulPrecision, Precision};
pub use loader::{
    Balance, CacheBudget, DEFAULT_MEMORY, MemoryBudget, Order, ReadMode, Samples, Splits,
};
pub use modality::{Modality, Moments, Places, Preview, Window};
pub use model::{Freeze, LoadParts, Model, ModelOutline, Tunings};
pub use nn::{
    Activation, AttentionBiases, AttentionKind, Batch, BatchNormStats, Before, Bias, BlockKind,
    BucketConfig, ClassTokens, Classifier, ConvNet, ConvNetConfig, ConvNextConfig,
    ConvolutionConfig, ConvolutionNorm, ConvolutionReach, CutPoint, Dense, DenseNorm,
    DisentangledConfig, DisentangledTerms, DistanceConfig, Embedder, EmbedderConfig,
    EmbeddingProjection, Encoder, End, FeatureShape, Features, FinalNorm, FirstNorm,
    FoldedPatchesConfig, FrameEmbedder, FrameEmbedderConfig, FrameStemConfig, GridBiasConfig,
    GridTables, Head, HeadConfig, InputConvolution, InvertedConfig, InvertedForm, LayerScale,
    LocalAttention, MapNormKind, MlpKind, NormConfig, NormKind, NormPlacement, Padding,
    PatchEmbedderConfig, PatchMapConfig, PatchMapEmbedder, PatchPositions, Pool, PositionConfig,
    PositionProjections, PositionTable, Positions, QkNorm, ResponseNorm, RotaryAxes, RotaryConfig,
    RotaryPairing, RotaryScaling, Sequence, Shortcut, Skip, Squeeze, SqueezeConfig,
    StackedFramesConfig, Stage, StemConfig, StemEmbedder, StemPool, SubNorm, Swin, SwinConfig,
    SwinStage, SwinVersion, TokenEmbedderConfig, TokenLayout, TokenPatchEmbedder, Transformer,
    TransformerConfig, Trunk, TrunkConfig, WaveformEmbedderConfig, WaveformNorm, WaveformPositions,
    WindowPadding, dropout,
};
pub use predict::evaluate;
pub use random::{Rng, seed};
pub use run::RunWriter;
pub use spec::Spec;
pub use task::{
    Metrics, Objective, Scores, Target, TargetScale, Targets, Task, TaskConfig, Vocabulary,
    WordStart,
};
pub use train::{
    AdamW, CheckpointEvery, Checkpoints, EpochRecord, FitOptions, FitReport, LrCurve, LrPoint, Mix,
    Phase, PhaseStart, Progress, Schedule, ScheduleKind, SweepEnd, Trainer, find_lr, fit,
    fit_resumable,
};
pub use transfer::{
    EmbeddingStats, Overrides, Recipe, RecipePlan, SourceFeatures, WeightInit, init_from_data,
};
pub use units::{Baseline, Pixels, Surface, Units};
#[cfg(feature = "hub")]
pub use weights::hub;
pub use weights::{
    Adapter, Checkpoint, Entry, Format, Fresh, KeyMap, LoadReport, Lora, Naming, Origin,
    Resampling, Reshaped, SharedTensors, TensorTransform, VarBuilder, WeightSource, adapter,
    checkpoint,
};

/// Where tensors are stored, from tch.
pub use tch::Device;

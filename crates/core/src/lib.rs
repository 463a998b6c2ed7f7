//! Transfer learning across modalities: load pretrained weights, freeze layers, fine-tune.
//!
//! ```text
//!  photo.jpg  clip.wav  "a sentence"          config.json + model.safetensors
//!      │ Modality::read (rayon)                       │ Pretrained::open (mapped, lazy)
//!      ▼                                              ▼
//!   Samples ── Modality::batch ──► Batch       named tensors ── Dialect (a table of names)
//!                                    │                │
//!                                    ▼                ▼
//!                                Embedder ────────► Trunk ────────► Pool ─────► Head ──► logits
//!                                (fresh, or        (pretrained,    [B, D]      (fresh)
//!                                 pretrained)       frozen by a Freeze)
//! ```
//!
//! An [`Embedder`] turns one modality's [`Batch`] into the form that a [`Trunk`] takes. A trunk is
//! pretrained and knows no modality. So any source goes to any target: choose the embedder of the
//! target's modality that emits what the source's trunk accepts; [`Tower::join`] checks that it
//! does.
//!
//! All parameters live in one store under our own names (`embed.…`, `trunk.blocks.3.attn.q.weight`,
//! `head.weight`); a publisher's names exist only in [`dialect`]s. This crate knows no modality: an
//! adapter crate implements [`Modality`] once, and everything here serves it, from [`Dataset`] to
//! [`fit()`] and to run folders ([`run`]).
#![deny(missing_docs)]

mod attention;
mod cache;
pub mod checkpoint;
pub mod data;
pub mod dialect;
pub mod dropout;
pub mod embed;
pub mod error;
pub mod export;
pub mod family;
pub mod features;
mod feed;
pub mod fit;
pub mod freeze;
pub mod head;
#[cfg(feature = "hub")]
pub mod hub;
pub mod joint;
pub mod layers;
pub mod lora;
pub mod metrics;
pub mod mix;
pub mod modality;
pub mod model;
pub mod names;
pub mod optim;
pub mod orca;
pub mod pool;
pub mod position;
pub mod precision;
pub mod recipe;
pub mod resnet;
pub mod run;
pub mod samples;
pub mod schedule;
pub mod scope;
mod shim;
pub mod surgery;
pub mod task;
pub mod tower;
pub mod transferability;
pub mod transformer;
pub mod trunk;

pub use cache::Room;
pub use checkpoint::{Checkpoint, Entry, Format};
pub use data::{Dataset, Duplicate, Input, InputKind, Item, Layout, Split, Target, duplicates};
pub use dialect::{Dialect, Fit};
pub use dropout::dropout;
pub use embed::{Embedder, FrameEmbedder, FrameEmbedderConfig, StemEmbedder, TokenPatchEmbedder};
pub use error::{BadSample, Cause, Error, Place, Result};
pub use family::{
    ClassTokens, Family, FrameStemConfig, PatchEmbedderConfig, Pretrained, PretrainedEmbedder,
    PretrainedHead, StemConfig, StemNorm, StemPool, TokenEmbedderConfig, WaveformEmbedderConfig,
    WaveformNorm,
};
pub use features::{Batch, Features, Form, Sequence};
pub use fit::{
    Balance, Continues, EpochRecord, FitOptions, Fitted, Order, Phase, Progress, RateCurve,
    RatePoint, SweepEnd, Tuner, find_rate, fit, seed,
};
pub use freeze::{Anatomy, Freeze};
pub use head::{Activation, Bias, Dense, Head, HeadConfig};
pub use joint::{Moments, init_from_data};
pub use layers::Statistics;
pub use lora::Lora;
pub use metrics::{Evaluation, evaluate};
pub use mix::Mix;
pub use modality::{Modality, Rng, Shown};
pub use model::{Model, Parts, Spec};
pub use optim::AdamW;
pub use orca::SourceFeatures;
pub use pool::Pool;
pub use position::Positions;
pub use precision::MatmulPrecision;
pub use recipe::{Choices, Init, Plan, Recipe};
pub use resnet::{Block, ResNet, ResNetConfig, Shortcut, Stage};
pub use run::RunWriter;
pub use samples::{MEMORY, Reading, Samples, Splits};
pub use schedule::{Curve, Schedule};
pub use scope::{Fresh, LoadReport, Origin, Reshaped, Scope, Source};
pub use surgery::Resampling;
pub use task::{Objective, Scale, Task, TaskConfig};
pub use tower::{Classifier, Cut, Tower};
pub use transformer::{Attend, Gelu, LayerScale, NormAt, Transformer, TransformerConfig};
pub use trunk::{Trunk, TrunkConfig};

/// Where tensors live, from tch.
pub use tch::Device;

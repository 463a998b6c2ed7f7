//! Transfer learning across modalities.
#![deny(missing_docs)]

pub mod checkpoint;
pub mod data;
pub mod dialect;
pub mod embed;
pub mod error;
pub mod family;
pub mod features;
pub mod fit;
pub mod freeze;
pub mod layers;
pub mod metrics;
pub mod modality;
pub mod model;
pub mod optim;
pub mod run;
pub mod samples;
pub mod scope;
pub mod tower;
pub mod transformer;
pub mod trunk;

pub use checkpoint::{Checkpoint, Entry};
pub use data::{Dataset, Input, InputKind, Item, Layout, Place};
pub use dialect::Dialect;
pub use embed::{Embedder, FrameEmbedder, FrameEmbedderConfig};
pub use error::{Cause, Error, Result};
pub use family::{Family, Pretrained, PretrainedEmbedder, TokenEmbedderConfig};
pub use features::{Batch, Features, Form, Sequence};
pub use fit::{EpochRecord, FitOptions, Fitted, Progress, Tuner, fit, seed};
pub use freeze::Freeze;
pub use metrics::Evaluation;
pub use modality::Modality;
pub use model::{Model, Parts, Spec};
pub use optim::{AdamW, Schedule};
pub use run::RunWriter;
pub use samples::{BadSample, Samples, Splits};
pub use scope::{Fresh, LoadReport, Origin, Scope, Source};
pub use tower::{Classifier, Pool, Tower};
pub use transformer::{Attend, Gelu, NormAt, Transformer, TransformerConfig};
pub use trunk::{Trunk, TrunkConfig};

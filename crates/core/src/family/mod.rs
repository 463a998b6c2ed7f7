//! Families of pretrained models. Each has a file, by the modality that it was trained on: its key map,
//! and how its configuration or, where there is none, its tensors tell what the model looks like.

mod audio;
mod config;
mod defaults;
mod family;
mod image;
mod own;
mod pretrained;
pub mod publish;
mod registry;
mod symbols;
mod table;
mod text;
mod unknown;

pub use family::{PretrainedConfig, PretrainedHead};
pub use pretrained::{Pretrained, SourceOptions};
pub use publish::Published;
pub use table::families;

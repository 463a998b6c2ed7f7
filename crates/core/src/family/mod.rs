//! Families of pretrained models. Each has a file: its key map, and how its configuration or, where
//! there is none, its tensors tell what the model looks like.

mod ast;
mod bert;
mod config;
mod defaults;
mod distilbert;
mod family;
mod gpt2;
mod honk;
mod own;
mod pretrained;
pub mod publish;
mod registry;
mod resnet;
mod roberta;
mod vit;
mod wav2vec2;
mod whisper;

pub use family::{PretrainedConfig, PretrainedHead};
pub use pretrained::Pretrained;
pub use publish::Published;

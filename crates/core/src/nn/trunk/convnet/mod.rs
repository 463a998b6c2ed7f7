//! The convolutional network: stages of blocks.

mod block;
mod config;
mod convnet;
mod residual;
mod stage;

pub use config::{Before, BlockKind, ConvNetConfig, End, Shortcut, Stage};
pub use convnet::ConvNet;

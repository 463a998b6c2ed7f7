//! The convolutional network: stages of blocks.

mod block;
mod config;
mod convnet;
mod convnext;
mod inverted;
mod kinds;
mod dense;
mod gate;
mod residual;
mod stage;

pub use config::{Before, BlockKind, ConvNetConfig, End, Shortcut, Squeeze, Stage};
pub use convnet::ConvNet;
pub use kinds::{ConvNextConfig, InvertedConfig, InvertedForm, ResponseNorm, Skip, SqueezeConfig};

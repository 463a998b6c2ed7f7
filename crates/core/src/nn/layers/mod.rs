//! Layers.

mod activation;
mod batch_norm;
mod conv;
pub(super) mod dropout;
mod linear;
mod lora;
mod map_norm;
mod norm;
mod squeeze;

pub use activation::Activation;
pub use batch_norm::{BatchNorm2d, BatchNormStats};
pub use conv::{Conv2d, ConvConfig, Padding};
pub use dropout::dropout;
pub use linear::Linear;
pub use map_norm::{ConvNorm, MapNorm, NormConfig, NormKind};
pub use norm::{LayerNorm, NormPlacement};
pub use squeeze::SqueezeExcite;

pub(crate) use linear::INIT;
pub(crate) use norm::eps_problem;
pub(crate) use squeeze::ChannelAttention;

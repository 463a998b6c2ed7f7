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
pub use linear::{Bias, Linear};
pub use map_norm::{ConvNorm, MapNorm, MapNormKind, NormConfig};
pub use norm::{LayerNorm, Norm, NormKind, NormPlacement, SubNorm};
pub use squeeze::SqueezeExcite;

pub(crate) use conv::convolved;
pub(crate) use norm::eps_problem;
pub(crate) use squeeze::ChannelAttention;

//! Layers.

mod activation;
mod conv;
pub(super) mod dropout;
mod linear;
mod lora;
mod norm;

pub use activation::Activation;
pub use conv::Conv2d;
pub use dropout::dropout;
pub use linear::{Bias, Linear};
pub use norm::{BatchNorm2d, BatchNormStats, LayerNorm, Norm, NormKind, NormPlacement, SubNorm};

pub(crate) use norm::eps_problem;

//! What tch's binding of libtorch lacks: all of our C++, and the calls into it.

mod adamw;
mod autocast;
pub(crate) mod blob;
pub(crate) mod bytes;
pub(crate) mod cuda;
pub(crate) mod fused;
pub(crate) mod c10d;
pub(crate) mod generator;
mod precision;
pub(crate) mod shim;
pub(crate) mod threads;

pub use autocast::Precision;
pub use precision::MatmulPrecision;

pub(crate) use adamw::{Moved, Step, fused_adamw};
pub(crate) use autocast::{Autocast, unscale};

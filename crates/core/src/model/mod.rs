//! A whole model: its parameters in one store, the part that each is in, and which of them train.

mod freeze;
mod mixed;
pub(crate) mod model;
mod part;
mod trainable;
mod tunings;

pub use freeze::{FREEZE_SYNTAX, Freeze};
pub use model::{LoadParts, Model};
pub use part::ModelOutline;
pub use tunings::{Passed, Tunings};

pub(crate) use part::{ModelPart, is_running_stat};
pub(crate) use trainable::TrainableGuard;

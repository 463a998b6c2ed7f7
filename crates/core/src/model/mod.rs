//! A whole model: its parameters in one store, which part each is in, and what of them trains.

mod freeze;
pub(crate) mod model;
mod part;
mod trainable;

pub use freeze::{FREEZE_SYNTAX, Freeze};
pub use model::{LoadParts, Model};
pub use part::Anatomy;

pub(crate) use part::{Place, is_statistic};
pub(crate) use trainable::Trains;

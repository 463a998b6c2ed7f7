//! Weights: from files to named tensors to parameters.

pub mod adapter;
mod builder;
mod by_row;
pub mod checkpoint;
mod finite;
mod halved;
#[cfg(feature = "hub")]
pub mod hub;
pub mod key_map;
pub mod lora;
mod members;
mod memory;
mod naming;
pub mod names;
mod prefix;
mod quantised;
mod report;
pub mod resize;
mod shared;
mod source;
mod transform;
pub(crate) mod write;

pub use adapter::Adapter;
pub use builder::VarBuilder;
pub use by_row::{ByRow, RowParam};
pub use checkpoint::{CONFIG, Checkpoint, Copies, Entry, Format, ONLY, PREPROCESSOR, WEIGHTS};
#[cfg(feature = "hub")]
pub use hub::{Event, Reference, SCHEME};
pub use key_map::{KeyMap, KeyRule, TensorSource};
pub use lora::Lora;
pub use naming::Naming;
pub use prefix::Prefix;
pub use report::{Fresh, LoadReport, Origin};
pub use resize::Resampling;
pub use shared::SharedTensors;
pub use source::{Reshape, Reshaped, WeightSource};
pub use transform::TensorTransform;

pub(crate) use by_row::RowGuard;
pub(crate) use checkpoint::quote;
pub(crate) use finite::fault;
pub(crate) use halved::Halved;
pub(crate) use key_map::{absent, joined, same, transformed};
pub(crate) use members::{Member, Members};
pub(crate) use names::nearest;
pub(crate) use write::{write_new_tensors, write_tensors, write_tensors_as};

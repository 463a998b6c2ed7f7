//! The formats of checkpoints, each read from bytes alone.
//!
//! Nothing here knows libtorch or a file system, executes what a file says, or allocates what a
//! file merely claims: a reader turns bytes into names and [`Stored`] views, all of them checked
//! against the bytes that are there. An error is one line; the caller adds the file's name.

mod block;
mod contents;
mod header;
pub(crate) mod index;
mod legacy;
pub(crate) mod limits;
mod names;
mod npy;
mod npz;
mod pickle;
pub(crate) mod recognise;
mod safetensors;
mod stored;
mod torch;
mod zip;

pub use contents::{Format, ONLY};

pub(crate) use block::{Packing, inflate};
pub(crate) use limits::quote;
pub(crate) use names::Keys;
pub(crate) use stored::{ByteOrder, Stored};

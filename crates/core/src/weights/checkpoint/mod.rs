//! Named tensors on disk, their shapes and types known before any of their data is touched.
//!
//! | file | holds |
//! |---|---|
//! | `find.rs` | which files a path means: a folder in Hugging Face layout, shards |
//! | `format/` | a reader for each format, on bytes alone |
//! | `naming.rs` | which copy of a model is read, and names without wrappers' words |
//! | `mapped.rs` | from bytes of a file to a tensor, without a copy |

mod checkpoint;
mod find;
mod format;
mod mapped;
mod naming;
#[cfg(test)]
mod tests;

pub use checkpoint::{Checkpoint, Entry};
pub use find::{CONFIG, PREPROCESSOR, WEIGHTS};
pub use format::{Format, ONLY};
pub use naming::Copies;

pub(crate) use find::published;
pub(crate) use format::quote;

#[cfg(feature = "hub")]
pub(crate) use find::PUBLISHED;
#[cfg(feature = "hub")]
pub(crate) use format::index::shards;

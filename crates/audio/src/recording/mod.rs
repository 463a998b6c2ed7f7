//! Recordings in files, as one channel. No libtorch is known here, so that a fuzz target can compile
//! these files by themselves.

mod error;
mod kind;
mod packed;
#[allow(clippy::module_inception)]
mod recording;
mod source;
mod wav;

pub use error::RecordingError;
pub use recording::Recording;
pub(crate) use source::LONGEST;

//! Recordings in files, as one channel. No libtorch is known here, so that a fuzz target can compile
//! these files by themselves.

mod au;
mod error;
mod kind;
mod mp4;
mod mpeg;
mod ogg;
mod packed;
mod pcm;
mod pieces;
#[allow(clippy::module_inception)]
mod recording;
mod source;
mod stream;
mod wav;

pub use error::RecordingError;
pub use recording::Recording;
pub(crate) use source::LONGEST;

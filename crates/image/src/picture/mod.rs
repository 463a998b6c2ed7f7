//! Pictures, from a file to samples in memory. No libtorch is known here, so that fuzz targets can
//! compile these files by themselves.

mod background;
mod decode;
mod error;
mod jpeg;
mod limits;
#[allow(clippy::module_inception)]
mod picture;
mod png;

pub use background::Background;
pub(crate) use decode::{Header, luma_of};
pub use error::PictureError;
pub use picture::{Channels, Picture};

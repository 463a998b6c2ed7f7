//! Why a picture cannot be used.

use std::{error::Error, io};

use crosstune_core::{BoxError, data::Unreadable};
use image::{ImageError, ImageFormat};

use super::limits::{MAX_FILE, MAX_PIXELS};

/// Why a picture cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The file could not be read.
    #[error("cannot read the file")]
    Io(#[from] io::Error),
    /// The picture lies within a larger file, and cannot be had from there.
    #[error(transparent)]
    Stored(#[from] Unreadable),
    /// A device, a pipe or a folder, which may have no end.
    #[error("not a regular file")]
    Special,
    /// More bytes than are read.
    #[error(
        "the file has {} MiB: at most {} are read, so scale the picture down", .0 >> 20, MAX_FILE >> 20
    )]
    LongFile(u64),
    /// There is nothing in the file.
    #[error("the file is empty")]
    Empty,
    /// The contents are of no known format, whatever the name says.
    #[error("not a JPEG, PNG, WebP, GIF, BMP or TIFF picture, going by its contents")]
    Unknown,
    /// The contents are of a format that is not read.
    #[error(
        "a picture in the format {0:?}: only JPEG, PNG, WebP, GIF, BMP and TIFF are read, so \
         convert it"
    )]
    Format(ImageFormat),
    /// More pixels than are read.
    #[error(
        "{width} × {height} pixels are too many: at most {} million are read, so scale it down",
        MAX_PIXELS / 1_000_000
    )]
    TooLarge {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The end of the file is missing.
    #[error("the picture is cut off before its end: copy or fetch the file again")]
    CutOff,
    /// The file contradicts its format.
    #[error("the picture is damaged")]
    Damaged(#[source] BoxError),
    /// The file uses a rare part of its format.
    #[error("a rare kind of picture that is not read, so convert it")]
    Rare(#[source] BoxError),
    /// A crop that is empty or does not lie in the scaled picture.
    #[error("a crop of {size} pixels does not fit a picture scaled to {resize} pixels")]
    Crop {
        /// The shorter side of the scaled picture, in pixels.
        resize: u32,
        /// The side of the crop, in pixels.
        size: u32,
    },
    /// The input is a text.
    #[error("a picture must be a file, but this is a text")]
    Text,
}

impl From<ImageError> for PictureError {
    fn from(error: ImageError) -> Self {
        let early = |e: &io::Error| e.kind() == io::ErrorKind::UnexpectedEof;
        let mut ends_early = false;
        let mut cause = error.source();
        while let Some(now) = cause {
            ends_early |= now.downcast_ref().is_some_and(early);
            cause = now.source();
        }
        match error {
            _ if ends_early => Self::CutOff,
            ImageError::IoError(e) if early(&e) => Self::CutOff,
            ImageError::IoError(e) => Self::Io(e),
            rare @ ImageError::Unsupported(_) => Self::Rare(rare.into()),
            other => Self::Damaged(other.into()),
        }
    }
}

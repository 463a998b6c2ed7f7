//! From a JPEG or PNG file to a [`Picture`].

use std::{
    fs,
    io::{self, BufRead, Cursor, Seek},
    path::Path,
};

use crosstune_core::Cause;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::{Channels, Picture, jpeg};

/// The largest picture that is read, in pixels: above any camera's, below what fills a memory.
const MAX_PIXELS: u64 = 200_000_000;

/// The most bytes that a pixel takes while it is decoded: four samples of 16 bits.
const MAX_PIXEL_BYTES: u64 = 8;

/// Why a file is no picture that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// The file could not be read.
    #[error("cannot read the file")]
    Io(#[from] io::Error),
    /// There is nothing in the file.
    #[error("the file is empty")]
    Empty,
    /// The contents are of no known format, whatever the name says.
    #[error("neither a JPEG nor a PNG picture, going by its contents")]
    Unknown,
    /// The contents are of a format that is not read.
    #[error("a picture in the format {0:?}: only JPEG and PNG are read, so convert it")]
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
    /// The file contradicts its format, or uses a rare part of it.
    #[error("the picture is damaged or of a rare kind")]
    Decode(#[source] ImageError),
    /// A crop that is empty or does not lie in the scaled picture.
    #[error("a crop of {size} pixels does not fit a picture scaled to {resize} pixels")]
    Crop {
        /// The shorter side of the scaled picture, in pixels.
        resize: u32,
        /// The side of the crop, in pixels.
        size: u32,
    },
    /// The picture could not be scaled.
    #[error("cannot scale the picture")]
    Resize(#[source] Cause),
    /// The input is a text.
    #[error("a picture must be a file, but this is a text")]
    Text,
}

impl From<ImageError> for PictureError {
    fn from(error: ImageError) -> Self {
        match error {
            ImageError::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof => Self::CutOff,
            ImageError::IoError(e) => Self::Io(e),
            other => Self::Decode(other),
        }
    }
}

/// What a file says of its picture before the first pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// How the file stores it.
    pub(crate) channels: Channels,
}

impl Header {
    /// Reads the header alone.
    pub(crate) fn open(path: &Path) -> Result<Self, PictureError> {
        let decoder = decoder(io::BufReader::new(fs::File::open(path)?))?;
        let (width, height) = decoder.dimensions();
        let channels =
            if decoder.color_type().has_color() { Channels::Rgb } else { Channels::Grey };
        Ok(Self { width, height, channels })
    }
}

impl Picture {
    /// Decodes the contents of a JPEG or PNG file, as a person sees it: turned upright if the
    /// camera noted how it was held, on white where it is transparent, with 8 bits a sample.
    ///
    /// # Errors
    /// If it is neither, if it is cut off or damaged, or if it has more than 200 million pixels,
    /// which is known before memory is taken for them.
    pub fn decode(file: &[u8], channels: Channels) -> Result<Self, PictureError> {
        if file.is_empty() {
            return Err(PictureError::Empty);
        }
        if file.starts_with(jpeg::START) && !jpeg::is_whole(file) {
            return Err(PictureError::CutOff);
        }
        let mut decoder = decoder(Cursor::new(file))?;
        let upright = decoder.orientation()?;
        let mut picture = DynamicImage::from_decoder(decoder)?;
        picture.apply_orientation(upright);
        let (width, height) = (picture.width(), picture.height());
        let color = picture.color();
        let samples = if channels == Channels::Grey && !color.has_color() && !color.has_alpha() {
            picture.into_luma8().into_raw()
        } else {
            let rgb = if color.has_alpha() {
                on_white(picture.into_rgba8().as_raw())
            } else {
                picture.into_rgb8().into_raw()
            };
            match channels {
                Channels::Rgb => rgb,
                Channels::Grey => luma(&rgb),
            }
        };
        Ok(Self { width, height, channels, samples })
    }

    /// Reads and [decodes](Self::decode) a file.
    ///
    /// # Errors
    /// As [`decode`](Self::decode), and if the file cannot be read.
    pub fn open(path: impl AsRef<Path>, channels: Channels) -> Result<Self, PictureError> {
        Self::decode(&fs::read(path)?, channels)
    }
}

/// Reads a file up to the first pixel. The format is told by the contents, not by the name.
fn decoder<'r>(file: impl BufRead + Seek + 'r) -> Result<impl ImageDecoder + 'r, PictureError> {
    let mut reader = ImageReader::new(file).with_guessed_format()?;
    match reader.format().ok_or(PictureError::Unknown)? {
        ImageFormat::Jpeg | ImageFormat::Png => {}
        other => return Err(PictureError::Format(other)),
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_PIXELS * MAX_PIXEL_BYTES);
    reader.limits(limits);
    let decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(PictureError::TooLarge { width, height });
    }
    Ok(decoder)
}

/// RGBA to RGB on a white ground: drawings and cut-outs are made for a page.
fn on_white(rgba: &[u8]) -> Vec<u8> {
    let (pixels, _) = rgba.as_chunks::<4>();
    let blend = |sample: u8, alpha: u8| {
        let (sample, alpha) = (u32::from(sample), u32::from(alpha));
        // Rounded to nearest, and at most 255.
        ((sample * alpha + 255 * (255 - alpha) + 127) / 255) as u8
    };
    pixels.iter().flat_map(|&[r, g, b, a]| [r, g, b].map(|sample| blend(sample, a))).collect()
}

/// RGB to luma as in ITU-R BT.601, in Pillow's fixed-point arithmetic.
fn luma(rgb: &[u8]) -> Vec<u8> {
    let (pixels, _) = rgb.as_chunks::<3>();
    let luma = |&[r, g, b]: &[u8; 3]| {
        // Weights of 0.299, 0.587 and 0.114 with a sum of 1 << 16.
        let sum = u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471;
        ((sum + (1 << 15)) >> 16) as u8
    };
    pixels.iter().map(luma).collect()
}

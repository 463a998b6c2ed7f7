//! From a file to a [`Picture`]: JPEG, PNG, WebP, GIF, BMP and TIFF, told apart by their contents.

use std::{
    fs::File,
    io::{BufRead, BufReader, Cursor, Read, Seek},
    path::Path,
};

use image::{
    DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage,
    metadata::Orientation,
};

use super::{
    background::Background,
    error::PictureError,
    jpeg,
    limits::{MAX_FILE, MAX_PIXEL_BYTES, MAX_PIXELS, fits},
    picture::{Channels, Picture},
    png,
};

/// The header of a picture's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// In pixels, upright.
    pub(crate) width: u32,
    /// In pixels, upright.
    pub(crate) height: u32,
    /// How the file stores it.
    pub(crate) channels: Channels,
}

impl Header {
    /// Reads the header of a file alone.
    pub(crate) fn open(path: &Path) -> Result<Self, PictureError> {
        let (file, length) = regular(path)?;
        if length == 0 { Err(PictureError::Empty) } else { Self::read(file) }
    }

    /// The same of what a file holds.
    pub(crate) fn decode(file: &[u8]) -> Result<Self, PictureError> {
        if file.is_empty() { Err(PictureError::Empty) } else { Self::read(Cursor::new(file)) }
    }

    fn read(mut file: impl BufRead + Seek) -> Result<Self, PictureError> {
        let format = format(&mut file)?;
        let (size, channels, orientation) = match format {
            ImageFormat::Jpeg => {
                let frame = jpeg::frame(file)?;
                ((frame.width, frame.height), frame.channels, frame.orientation)
            }
            _ => {
                let mut decoder = decoder(file, format)?;
                let color = decoder.color_type();
                let channels = if color.has_color() { Channels::Rgb } else { Channels::Grey };
                (decoder.dimensions(), channels, decoder.orientation()?)
            }
        };
        let (width, height) = if is_turned(orientation) { (size.1, size.0) } else { size };
        Ok(Self { width, height, channels })
    }
}

impl Picture {
    /// Whether a file that starts with these bytes is a picture. A text may begin with `BM`, too.
    pub fn starts(start: &[u8]) -> bool {
        let text = start.starts_with(b"BM") && start.get(6..10).is_none_or(|zero| zero != [0; 4]);
        !text && format(&mut Cursor::new(start)).is_ok()
    }

    /// Decodes the contents of a file, as a person sees it: turned upright if the camera noted how it
    /// was held, on `background` where it is transparent, the first frame if it moves, with 8 bits a
    /// sample.
    ///
    /// # Errors
    /// If it is of no known format, if it is cut off or damaged, or if it has more than 200 million
    /// pixels, which is known before memory is taken for them.
    pub fn decode(
        file: &[u8],
        channels: Channels,
        background: Background,
    ) -> Result<Self, PictureError> {
        if file.is_empty() {
            return Err(PictureError::Empty);
        }
        let picture = decode(file).or_else(|error| match error {
            PictureError::CutOff => png::closed(file).and_then(|f| decode(&f).ok()).ok_or(error),
            other => Err(other),
        })?;
        let (width, height) = (picture.width(), picture.height());
        let color = picture.color();
        let samples = if channels == Channels::Grey && !color.has_color() && !color.has_alpha() {
            picture.into_luma8().into_raw()
        } else {
            let rgb = if color.has_alpha() {
                background.behind(picture.into_rgba8().as_raw())
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
    /// As [`decode`](Self::decode), and if the file cannot be read, has more than 1 GiB or is no
    /// regular file.
    pub fn open(
        path: impl AsRef<Path>,
        channels: Channels,
        background: Background,
    ) -> Result<Self, PictureError> {
        let (file, length) = regular(path.as_ref())?;
        let mut contents = Vec::with_capacity(length as usize);
        // A file may grow meanwhile.
        file.into_inner().take(MAX_FILE).read_to_end(&mut contents)?;
        Self::decode(&contents, channels, background)
    }
}

/// Opens a regular file, and returns its length in bytes.
fn regular(path: &Path) -> Result<(BufReader<File>, u64), PictureError> {
    // Opening a pipe would wait for its other end.
    if !path.metadata()?.is_file() {
        return Err(PictureError::Special);
    }
    let file = File::open(path)?;
    match file.metadata()?.len() {
        length if length > MAX_FILE => Err(PictureError::LongFile(length)),
        length => Ok((BufReader::new(file), length)),
    }
}

/// Whether width and height are swapped when the picture is upright.
fn is_turned(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

/// Decodes a file in the colour type that it is stored in, upright.
fn decode(file: &[u8]) -> Result<DynamicImage, PictureError> {
    let format = format(&mut Cursor::new(file))?;
    let (mut picture, orientation) = if format == ImageFormat::Jpeg {
        let (jpeg::Frame { width, height, channels, orientation }, samples) = jpeg::decode(file)?;
        let picture = match channels {
            Channels::Grey => GrayImage::from_raw(width, height, samples).map(Into::into),
            Channels::Rgb => RgbImage::from_raw(width, height, samples).map(Into::into),
        };
        let picture = picture.ok_or_else(|| PictureError::Damaged("samples are missing".into()))?;
        (picture, orientation)
    } else {
        let mut decoder = decoder(Cursor::new(file), format)?;
        let orientation = decoder.orientation()?;
        (DynamicImage::from_decoder(decoder)?, orientation)
    };
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// The format, by the contents and not by the name. The file is at its start again.
fn format(file: &mut (impl BufRead + Seek)) -> Result<ImageFormat, PictureError> {
    use ImageFormat::{Bmp, Gif, Jpeg, Png, Tiff, WebP};
    match ImageReader::new(file).with_guessed_format()?.format().ok_or(PictureError::Unknown)? {
        format @ (Jpeg | Png | WebP | Gif | Bmp | Tiff) => Ok(format),
        other => Err(PictureError::Format(other)),
    }
}

/// Reads a file up to the first pixel.
fn decoder<'r>(
    file: impl BufRead + Seek + 'r,
    format: ImageFormat,
) -> Result<impl ImageDecoder + 'r, PictureError> {
    let mut reader = ImageReader::with_format(file, format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_PIXELS * MAX_PIXEL_BYTES);
    reader.limits(limits);
    let decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if !fits(width, height) {
        return Err(PictureError::TooLarge { width, height });
    }
    Ok(decoder)
}

/// RGB to luma as in ITU-R BT.601, in Pillow's fixed-point arithmetic.
pub(crate) fn luma(rgb: &[u8]) -> Vec<u8> {
    let (pixels, _) = rgb.as_chunks::<3>();
    pixels.iter().map(|&[r, g, b]| luma_of(r, g, b)).collect()
}

/// The luma of one pixel.
pub(crate) fn luma_of(r: u8, g: u8, b: u8) -> u8 {
    // Weights of 0.299, 0.587 and 0.114 with a sum of 1 << 16.
    let sum = u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471;
    ((sum + (1 << 15)) >> 16) as u8
}

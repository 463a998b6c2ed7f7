//! JPEG: told whole from cut off, and decoded.

use std::{
    io::{BufRead, Cursor, Seek},
    panic::{self, AssertUnwindSafe},
};

use image::metadata::Orientation;
use libjpeg_turbo_rs::{Decoder, JpegError, PixelFormat};
use zune_core::{colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::{JpegDecoder, errors::DecodeErrors};

use super::{error::PictureError, limits::fits, picture::Channels};

/// As many pixels as a byte of the file may stand for: a bit is the least that each square of 8 × 8
/// pixels takes.
const PIXELS_PER_BYTE: u64 = 8 * 64;

/// What a JPEG file says before its data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    /// In pixels, as stored.
    pub(crate) width: u32,
    /// In pixels, as stored.
    pub(crate) height: u32,
    pub(crate) channels: Channels,
    /// How the camera was held.
    pub(crate) orientation: Orientation,
}

/// Decodes a file, as it is stored: `height × width` pixels of one sample or three, the same to the
/// last bit as libjpeg-turbo, and so Pillow and torchvision, make of it.
pub(crate) fn decode(file: &[u8]) -> Result<(Frame, Vec<u8>), PictureError> {
    // What follows the picture does not matter, and a picture without its end is not whole.
    let file = &file[..end(file).ok_or(PictureError::CutOff)?];
    let frame = frame(Cursor::new(file))?;
    let pixels = u64::from(frame.width) * u64::from(frame.height);
    if pixels > PIXELS_PER_BYTE * file.len() as u64 {
        return Err(PictureError::CutOff);
    }
    // Damage that the library did not think of is an error of this file, and not the end of all.
    let picture = panic::catch_unwind(AssertUnwindSafe(|| {
        let mut decoder = Decoder::new(file)?;
        decoder.set_output_format(match frame.channels {
            Channels::Grey => PixelFormat::Grayscale,
            Channels::Rgb => PixelFormat::Rgb,
        });
        decoder.decode_image()
    }))
    .unwrap_or_else(|_| Err(JpegError::CorruptData("decoding it failed".into())))
    .map_err(damaged)?;
    let size = (picture.width, picture.height, picture.data.len() as u64);
    let samples = pixels * frame.channels.count() as u64;
    if size != (frame.width as usize, frame.height as usize, samples) {
        return Err(PictureError::Damaged("it states two sizes".into()));
    }
    Ok((frame, picture.data))
}

/// Reads up to the data.
pub(crate) fn frame(file: impl BufRead + Seek) -> Result<Frame, PictureError> {
    let options = DecoderOptions::default()
        // Stray bytes between segments do no harm.
        .set_strict_mode(false)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(file, options);
    decoder.decode_headers().map_err(broken)?;
    let info = decoder.info().ok_or_else(|| PictureError::Damaged("no frame header".into()))?;
    let (width, height) = (info.width.into(), info.height.into());
    if !fits(width, height) {
        return Err(PictureError::TooLarge { width, height });
    }
    let channels = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => Channels::Grey,
        _ => Channels::Rgb,
    };
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    Ok(Frame { width, height, channels, orientation })
}

fn damaged(error: JpegError) -> PictureError {
    match error {
        rare @ JpegError::Unsupported(_) => PictureError::Rare(rare.into()),
        other => PictureError::Damaged(other.into()),
    }
}

fn broken(error: DecodeErrors) -> PictureError {
    match error {
        rare @ DecodeErrors::Unsupported(_) => PictureError::Rare(rare.into()),
        other => PictureError::Damaged(other.into()),
    }
}

/// Where the end-of-image marker ends that is reached by way of the segments (ITU-T T.81, annex B):
/// one that belongs to a thumbnail inside a segment does not count, and what lies behind the end does
/// not matter.
fn end(file: &[u8]) -> Option<usize> {
    let mut rest = file;
    loop {
        let (marker, behind) = next_marker(rest)?;
        rest = match marker {
            // Start of image, end of image.
            0xD8 => behind,
            0xD9 => return Some(file.len() - behind.len()),
            _ => {
                let length: usize = u16::from_be_bytes(*behind.first_chunk()?).into();
                behind.get(length..)?
            }
        };
    }
}

/// The next marker that does not belong to the compressed data, and what follows it.
fn next_marker(mut file: &[u8]) -> Option<(u8, &[u8])> {
    loop {
        let at = memchr::memchr(0xFF, file)?;
        match *file.get(at + 1)? {
            // Filling before a marker.
            0xFF => file = &file[at + 1..],
            // An 0xFF of the data itself, a marker without meaning, a restart of the coder.
            0x00 | 0x01 | 0xD0..=0xD7 => file = &file[at + 2..],
            marker => return Some((marker, &file[at + 2..])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pictures_own_end_counts() {
        // Start, a segment with the end of a thumbnail in it, a scan with stuffing and restart.
        let open = [
            &[0xFF, 0xD8][..],
            &[0xFF, 0xE1, 0, 6, 0xFF, 0xD9, 1, 2],
            &[0xFF, 0xDA, 0, 3, 9],
            &[7, 0xFF, 0x00, 0xD9, 0xFF, 0xD0, 8],
        ]
        .concat();
        assert_eq!(end(&open), None);
        for last in [&[0xFF, 0xD9][..], &[0xFF, 0xFF, 0xD9], &[0xFF, 0xD9, 0, 0, 0xFF]] {
            let file = [&open, last].concat();
            let marker = file.iter().rposition(|&byte| byte == 0xD9).unwrap();
            assert_eq!(end(&file), Some(marker + 1), "{last:?}");
            for cut in 0..=marker {
                assert_eq!(end(&file[..cut]), None, "{cut} bytes");
            }
        }
    }
}

//! JPEG: told whole from cut off, and decoded.

use std::io::{BufRead, Cursor, Seek};

use image::metadata::Orientation;
use zune_core::{colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::{JpegDecoder, errors::DecodeErrors};

use crate::{Channels, PictureError, decode::checked};

/// As many pixels as a byte of the file may stand for: a bit is the least that each square of 8 × 8
/// pixels takes.
const PIXELS_PER_BYTE: u64 = 8 * 64;

/// What is put in the place of a file's end: eight bytes of ones, which are no code of any table, and an
/// end. Data is filled up with ones anyway, so that a decoder stops there; and one that wants more
/// pixels than there are meets a false code, where zeros would pass for grey.
const GUARD: [u8; 18] =
    [255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 0xFF, 0xD9];

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

/// Reads up to the data.
pub(crate) fn frame(file: impl BufRead + Seek) -> Result<Frame, PictureError> {
    opened(file).map(|(_, frame)| frame)
}

/// Decodes a file, as it is stored: `height × width` pixels of one sample or three.
pub(crate) fn decode(file: &[u8]) -> Result<(Frame, Vec<u8>), PictureError> {
    // Decoders paint what is missing grey and say nothing.
    let end = end(file).ok_or(PictureError::CutOff)?;
    let guarded = [&file[..end], &GUARD].concat();
    let (mut decoder, frame) = opened(Cursor::new(guarded.as_slice()))?;
    let pixels = u64::from(frame.width) * u64::from(frame.height);
    if pixels > PIXELS_PER_BYTE * file.len() as u64 {
        return Err(PictureError::CutOff);
    }
    let colours = match frame.channels {
        Channels::Grey => ColorSpace::Luma,
        Channels::Rgb => ColorSpace::RGB,
    };
    // From here on, what is wrong is lost pixels.
    decoder.set_options(decoder.options().set_strict_mode(true).jpeg_set_out_colorspace(colours));
    let samples = decoder.decode().map_err(broken)?;
    Ok((frame, samples))
}

/// A decoder that has read up to the data.
fn opened<R: BufRead + Seek>(file: R) -> Result<(JpegDecoder<R>, Frame), PictureError> {
    let options = DecoderOptions::default()
        // Stray bytes between segments do no harm.
        .set_strict_mode(false)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(file, options);
    decoder.decode_headers().map_err(broken)?;
    let info = decoder.info().ok_or_else(|| PictureError::Damaged("no frame header".into()))?;
    let (width, height) = checked(info.width.into(), info.height.into())?;
    let channels = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => Channels::Grey,
        _ => Channels::Rgb,
    };
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    Ok((decoder, Frame { width, height, channels, orientation }))
}

fn broken(error: DecodeErrors) -> PictureError {
    match error {
        rare @ DecodeErrors::Unsupported(_) => PictureError::Rare(rare.into()),
        other => PictureError::Damaged(other.into()),
    }
}

/// Where the end-of-image marker stands that is reached by way of the segments (ITU-T T.81, annex B):
/// one that belongs to a thumbnail inside a segment does not count, and what lies behind the end does
/// not matter.
fn end(file: &[u8]) -> Option<usize> {
    let mut rest = file;
    loop {
        let (marker, behind) = next_marker(rest)?;
        rest = match marker {
            // Start of image, end of image.
            0xD8 => behind,
            0xD9 => return Some(file.len() - behind.len() - 2),
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
            assert_eq!(end(&file), Some(marker - 1), "{last:?}");
            for cut in 0..=marker {
                assert_eq!(end(&file[..cut]), None, "{cut} bytes");
            }
        }
    }
}

//! WAV files' headers, checked against what they promise.
//!
//! A WAV file is a RIFF file: chunks of a four-letter name, a length and so many bytes, of which
//! `fmt ` describes the samples and `data` holds them (Multimedia Programming Interface and Data
//! Specifications 1.0, IBM and Microsoft 1991, chapter 3).
//!
//! The header is read here and not by `hound`, which does not say where 24 bits lie in 32, and
//! refuses what many files have: a chunk of odd length, a data length that was not known, 64-bit
//! floats, a wrong number of bytes a second.

use std::io::{self, BufReader, Read};

use super::{
    error::RecordingError,
    pcm::{Depth, Format, Order, Pcm},
    source::{Source, possible_rate},
};

/// The length of what stands before the first chunk: RIFF, a length, WAVE.
const PREAMBLE: usize = 12;

/// From here on, a length that no file has was not known when it was written: SoX writes 0x7ffff000 to
/// a pipe, arecord 0x80000000, GStreamer 44 below all ones.
const UNKNOWN: u32 = 0x7fff_f000;

/// Reads the header of a file of `length` bytes, from its beginning.
pub(super) fn open(
    mut file: BufReader<Box<dyn Source>>,
    length: u64,
) -> Result<Pcm, RecordingError> {
    let [_, _, _, _, a, b, c, d, ..] = read_array::<PREAMBLE>(&mut file)?;
    let all = u32::from_le_bytes([a, b, c, d]);
    let Data { format, promised, start } = find_data(&mut file, PREAMBLE as u64)?;
    let found = length.saturating_sub(start);
    // A program that writes to a pipe cannot know the length, and says so.
    let known = match promised {
        u32::MAX => false,
        UNKNOWN.. => u64::from(promised) <= found,
        // In Kaldi's streams both are zero.
        0 => all != 0,
        _ => true,
    };
    Pcm::new(file, format, known.then(|| promised.into()), found)
}

/// By the format's tag, its bits, and the bytes that they take.
fn depth(tag: u16, bits: u16, bytes: u16) -> Option<Depth> {
    Some(match (tag, bits, bytes) {
        (INTEGERS, 8, 1) => Depth::U8,
        (INTEGERS, 16, 2) => Depth::I16,
        (INTEGERS, 24, 3) => Depth::I24,
        // ALSA's S24_LE.
        (INTEGERS, 24, 4) => Depth::I24In32,
        (INTEGERS, 32, 4) => Depth::I32,
        (FLOATS, 32, 4) => Depth::F32,
        (FLOATS, 64, 8) => Depth::F64,
        (A_LAW, 8, 1) => Depth::ALaw,
        (MU_LAW, 8, 1) => Depth::MuLaw,
        _ => return None,
    })
}

const INTEGERS: u16 = 1;
const FLOATS: u16 = 3;
const A_LAW: u16 = 6;
const MU_LAW: u16 = 7;
const EXTENDED: u16 = 0xfffe;
/// What follows the tag at byte 24 of an extended format, if it is a tag.
const EXTENDED_REST: &[u8] = b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71";

fn parse(chunk: &[u8]) -> Result<Format, RecordingError> {
    let u16_at = |at: usize| u16::from_le_bytes([chunk[at], chunk[at + 1]]);
    let broken = |problem: String| Err(RecordingError::Header(problem));
    if chunk.len() < 16 {
        return broken(format!("a format of {} bytes, where 16 are needed", chunk.len()));
    }
    let mut tag = u16_at(0);
    if tag == EXTENDED && chunk.get(26..40) == Some(EXTENDED_REST) {
        // The container's size counts, not the number of valid bits: those stand at its top
        // (Microsoft's remarks on WAVEFORMATEXTENSIBLE).
        tag = u16_at(24);
    }
    let (channels, block, bits) = (u16_at(2), u16_at(12), u16_at(14));
    let rate = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
    match (tag, bits) {
        (INTEGERS, 8 | 16 | 24 | 32) | (FLOATS, 32 | 64) | (A_LAW | MU_LAW, 8) => {}
        (INTEGERS, _) => return unsupported(format!("{bits}-bit integers")),
        (FLOATS, _) => return unsupported(format!("{bits}-bit floats")),
        (2 | 0x11, _) => return unsupported("compressed (ADPCM)"),
        (A_LAW | MU_LAW, _) => return unsupported(format!("{bits}-bit logarithms")),
        (0x55, _) => return unsupported("compressed (MP3)"),
        _ => return unsupported(format!("of an unknown kind (format {tag:#06x})")),
    }
    if channels == 0 {
        return broken("no channels".into());
    }
    possible_rate(rate).map_err(RecordingError::Header)?;
    match depth(tag, bits, block / channels) {
        Some(depth) if block % channels == 0 => {
            Ok(Format { channels, sample_rate: rate, depth, order: Order::Lowest })
        }
        _ => broken(format!("{channels} channels of {bits} bits in blocks of {block} bytes")),
    }
}

fn unsupported<T>(what: impl Into<String>) -> Result<T, RecordingError> {
    Err(RecordingError::Unsupported(what.into()))
}

/// Where the samples are.
struct Data {
    format: Format,
    /// How long they are, in bytes.
    promised: u32,
    /// The offset of the first, in bytes.
    start: u64,
}

/// Goes through the chunks from `at` on, up to the data. The reader is then at the first sample.
fn find_data(file: &mut BufReader<Box<dyn Source>>, mut at: u64) -> Result<Data, RecordingError> {
    let mut format = None;
    loop {
        let [a, b, c, d, length @ ..] = read_array::<8>(file)?;
        let length = u32::from_le_bytes(length);
        // A chunk of odd length is followed by a byte that its length does not count.
        let padded = i64::from(length) + i64::from(length % 2);
        at += 8;
        match &[a, b, c, d] {
            b"fmt " => {
                let mut chunk = Vec::with_capacity(40);
                file.by_ref().take(length.min(40).into()).read_to_end(&mut chunk)?;
                format = Some(parse(&chunk)?);
                file.seek_relative(padded - chunk.len() as i64)?;
            }
            b"data" => {
                let format = format.ok_or_else(|| {
                    RecordingError::Header("the data comes before its format".into())
                })?;
                return Ok(Data { format, promised: length, start: at });
            }
            _ => file.seek_relative(padded)?,
        }
        at += padded as u64;
    }
}

fn read_array<const N: usize>(
    file: &mut BufReader<Box<dyn Source>>,
) -> Result<[u8; N], RecordingError> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes).map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => {
            RecordingError::Header("the file ends before its data".into())
        }
        _ => e.into(),
    })?;
    Ok(bytes)
}

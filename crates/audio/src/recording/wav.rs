//! WAV files: checked against what their headers promise, decoded, mixed to mono.
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
    source::{LONGEST, Source, mix, possible_rate},
};

/// A WAV file whose header has been read and agrees with the file's length.
#[derive(Debug)]
pub(super) struct Wav {
    /// Stands at the first sample.
    file: BufReader<Box<dyn Source>>,
    format: Format,
    samples: u64,
}

impl Wav {
    /// What stands before the first chunk: RIFF, a length, WAVE.
    const PREAMBLE: i64 = 12;

    /// Reads the header of a file of `length` bytes, from its beginning.
    pub(super) fn new(
        mut file: BufReader<Box<dyn Source>>,
        length: u64,
    ) -> Result<Self, RecordingError> {
        file.seek_relative(Self::PREAMBLE)?;
        let Data { format, promised, start } = find_data(&mut file, Self::PREAMBLE as u64)?;
        let found = length.saturating_sub(start);
        // A program that writes to a pipe cannot know the length, and says so with all ones.
        let unknown = promised == u32::MAX;
        let data = if unknown { found - found % format.block } else { promised.into() };
        let samples = data / format.block;
        if data > found {
            let found = found / format.block;
            return Err(RecordingError::CutShort { promised: samples, found });
        }
        if samples == 0 {
            return Err(RecordingError::Empty);
        }
        if data % format.block != 0 {
            let block = format.block;
            return Err(RecordingError::Header(format!(
                "{data} bytes of data in samples of {block}"
            )));
        }
        Ok(Self { file, format, samples })
    }

    pub(super) fn sample_rate(&self) -> u32 {
        self.format.sample_rate
    }

    pub(super) fn channels(&self) -> u16 {
        self.format.channels
    }

    pub(super) fn samples(&self) -> u64 {
        self.samples
    }

    /// Decodes the first `most` samples, or all if there are fewer.
    pub(super) fn read(self, most: usize) -> Result<Vec<f32>, RecordingError> {
        /// How many bytes are decoded at a time, where a sample is not larger.
        const CHUNK: u64 = 1 << 16;

        let Self { mut file, format, samples } = self;
        let count = samples.min(most as u64);
        if count > LONGEST {
            return Err(RecordingError::TooLong { most: LONGEST, rate: format.sample_rate });
        }
        // No more than the file holds, which was checked when it was opened.
        let mut mono = Vec::with_capacity(count as usize);
        let (mut bytes, mut all) = (vec![], vec![]);
        let at_once = (CHUNK / format.block).max(1);
        let mut left = count;
        while left > 0 {
            let now = left.min(at_once);
            bytes.resize((now * format.block) as usize, 0);
            file.read_exact(&mut bytes)?;
            format.depth.decode(&bytes, &mut all);
            mix(&all, format.channels.into(), &mut mono);
            left -= now;
        }
        Ok(mono)
    }
}

/// What the chunk `fmt ` says.
#[derive(Debug)]
struct Format {
    channels: u16,
    /// In Hz.
    sample_rate: u32,
    /// Bytes of one sample of all channels.
    block: u64,
    depth: Depth,
}

/// How samples of one channel are stored, the lowest byte first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// From 0 to 255.
    U8,
    I16,
    I24,
    /// In the lower three of four bytes.
    I24In32,
    I32,
    F32,
    F64,
}

impl Depth {
    /// By the format's tag, its bits, and the bytes that they take.
    fn of(tag: u16, bits: u16, bytes: u16) -> Option<Self> {
        Some(match (tag, bits, bytes) {
            (Format::INTEGERS, 8, 1) => Self::U8,
            (Format::INTEGERS, 16, 2) => Self::I16,
            (Format::INTEGERS, 24, 3) => Self::I24,
            // ALSA's S24_LE.
            (Format::INTEGERS, 24, 4) => Self::I24In32,
            (Format::INTEGERS, 32, 4) => Self::I32,
            (Format::FLOATS, 32, 4) => Self::F32,
            (Format::FLOATS, 64, 8) => Self::F64,
            _ => return None,
        })
    }

    /// Replaces `samples` by what the bytes hold, integers scaled to -1..1.
    fn decode(self, bytes: &[u8], samples: &mut Vec<f32>) {
        fn each<const N: usize>(
            bytes: &[u8],
            samples: &mut Vec<f32>,
            decode: impl Fn([u8; N]) -> f32,
        ) {
            let (values, _) = bytes.as_chunks();
            samples.clear();
            samples.extend(values.iter().map(|&value| decode(value)));
        }
        /// Full scale of integers whose highest bit is that of an i32.
        const FULL: f32 = 2_147_483_648.;
        let high = |a, b, c| i32::from_le_bytes([0, a, b, c]) as f32 / FULL;
        match self {
            Self::U8 => each(bytes, samples, |[x]| (f32::from(x) - 128.) / 128.),
            Self::I16 => each(bytes, samples, |x| f32::from(i16::from_le_bytes(x)) / 32_768.),
            Self::I24 => each(bytes, samples, |[a, b, c]| high(a, b, c)),
            Self::I24In32 => each(bytes, samples, |[a, b, c, _]| high(a, b, c)),
            Self::I32 => each(bytes, samples, |x| i32::from_le_bytes(x) as f32 / FULL),
            Self::F32 => each(bytes, samples, f32::from_le_bytes),
            Self::F64 => each(bytes, samples, |x| f64::from_le_bytes(x) as f32),
        }
    }
}

impl Format {
    const INTEGERS: u16 = 1;
    const FLOATS: u16 = 3;
    const EXTENDED: u16 = 0xfffe;
    /// What follows the tag at byte 24 of an extended format, if it is a tag.
    const EXTENDED_REST: &[u8] = b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71";

    fn parse(chunk: &[u8]) -> Result<Self, RecordingError> {
        let u16_at = |at: usize| u16::from_le_bytes([chunk[at], chunk[at + 1]]);
        let broken = |problem: String| Err(RecordingError::Header(problem));
        if chunk.len() < 16 {
            return broken(format!("a format of {} bytes, where 16 are needed", chunk.len()));
        }
        let mut tag = u16_at(0);
        if tag == Self::EXTENDED && chunk.get(26..40) == Some(Self::EXTENDED_REST) {
            // The container's size counts, not the number of valid bits: those stand at its top
            // (Microsoft's remarks on WAVEFORMATEXTENSIBLE).
            tag = u16_at(24);
        }
        let (channels, block, bits) = (u16_at(2), u16_at(12), u16_at(14));
        let rate = u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]);
        match (tag, bits) {
            (Self::INTEGERS, 8 | 16 | 24 | 32) | (Self::FLOATS, 32 | 64) => {}
            (Self::INTEGERS, _) => return unsupported(format!("{bits}-bit integers")),
            (Self::FLOATS, _) => return unsupported(format!("{bits}-bit floats")),
            (2 | 0x11, _) => return unsupported("compressed (ADPCM)"),
            (6, _) => return unsupported("compressed (A-law)"),
            (7, _) => return unsupported("compressed (µ-law)"),
            (0x55, _) => return unsupported("compressed (MP3)"),
            _ => return unsupported(format!("of an unknown kind (format {tag:#06x})")),
        }
        if channels == 0 {
            return broken("no channels".into());
        }
        possible_rate(rate).map_err(RecordingError::Header)?;
        match Depth::of(tag, bits, block / channels) {
            Some(depth) if block % channels == 0 => {
                Ok(Self { channels, sample_rate: rate, block: block.into(), depth })
            }
            _ => broken(format!("{channels} channels of {bits} bits in blocks of {block} bytes")),
        }
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
                format = Some(Format::parse(&chunk)?);
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

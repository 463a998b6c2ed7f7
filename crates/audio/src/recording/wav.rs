//! WAV files: checked against what their headers promise, decoded with `hound`, mixed to mono.
//!
//! A WAV file is a RIFF file: chunks of a four-letter name, a length and so many bytes, of which
//! `fmt ` describes the samples and `data` holds them (Multimedia Programming Interface and Data
//! Specifications 1.0, IBM and Microsoft 1991, chapter 3).

use std::io::{self, BufReader, Read, Seek};

use hound::{SampleFormat, WavReader, WavSpec};

use super::{LONGEST, RecordingError, Source, error::Thousands, mix, possible_rate};

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
        let (format, promised) = find_data(&mut file)?;
        let found = length.saturating_sub(file.stream_position()?);
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
            let header = format.header((now * format.block) as u32);
            bytes.resize(header.len() + (now * format.block) as usize, 0);
            bytes[..header.len()].copy_from_slice(&header);
            file.read_exact(&mut bytes[header.len()..])?;
            format.decode(&bytes, &mut all)?;
            mix(&all, format.channels.into(), &mut mono);
            left -= now;
        }
        Ok(mono)
    }
}

/// What the chunk `fmt ` says.
#[derive(Debug)]
struct Format {
    /// Its first 16 bytes, which all its variants share, with the tag that the extended one hides
    /// further behind.
    bytes: [u8; 16],
    channels: u16,
    /// In Hz.
    sample_rate: u32,
    /// Bytes of one sample of all channels.
    block: u64,
    depth: Depth,
}

/// How deep samples are, as far as decoding has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    Usual,
    /// Floats of 64 bits.
    Double,
}

impl Format {
    const INTEGERS: u16 = 1;
    const FLOATS: u16 = 3;
    const EXTENDED: u16 = 0xfffe;
    /// The length of a plain header, in bytes.
    const HEADER: usize = 44;
    /// What follows the tag at byte 24 of an extended format, if it is a tag.
    const EXTENDED_REST: &[u8] = b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71";

    fn parse(chunk: &[u8]) -> Result<Self, RecordingError> {
        let u16_at = |at: usize| u16::from_le_bytes([chunk[at], chunk[at + 1]]);
        let broken = |problem: String| Err(RecordingError::Header(problem));
        let Some(mut bytes) = chunk.first_chunk::<16>().copied() else {
            return broken(format!("a format of {} bytes, where 16 are needed", chunk.len()));
        };
        let mut tag = u16_at(0);
        if tag == Self::EXTENDED && chunk.get(26..40) == Some(Self::EXTENDED_REST) {
            // The container's size counts, not the number of valid bits: those stand at its top
            // (Microsoft's remarks on WAVEFORMATEXTENSIBLE), where `hound` would not look.
            bytes[..2].copy_from_slice(&chunk[24..26]);
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
        // 24 bits in 4 bytes stand at the bottom in a plain format (ALSA's S24_LE).
        let fits =
            matches!((block / channels, bits), (1, 8) | (2, 16) | (3 | 4, 24) | (4, 32) | (8, 64));
        if block % channels != 0 || !fits {
            return broken(format!(
                "{channels} channels of {bits} bits in blocks of {block} bytes"
            ));
        }
        // Bytes a second: derived, and at times wrong, but `hound` insists on them.
        let Some(speed) = rate.checked_mul(block.into()) else {
            return broken(format!("{channels} channels at {} Hz", Thousands(rate.into())));
        };
        bytes[8..12].copy_from_slice(&speed.to_le_bytes());
        let depth = if bits == 64 { Depth::Double } else { Depth::Usual };
        Ok(Self { bytes, channels, sample_rate: rate, block: block.into(), depth })
    }

    /// The header of a plain WAV file of `size` bytes of samples: `hound` knows neither every
    /// variant of the format chunk nor the padding of other chunks, and is spared both.
    fn header(&self, size: u32) -> [u8; Self::HEADER] {
        let mut header = *b"RIFF____WAVEfmt \x10\0\0\0________________data____";
        header[4..8].copy_from_slice(&(size + 36).to_le_bytes());
        header[20..36].copy_from_slice(&self.bytes);
        header[40..].copy_from_slice(&size.to_le_bytes());
        header
    }

    /// Decodes a plain WAV file, its [`header`](Self::header) included.
    fn decode(&self, file: &[u8], samples: &mut Vec<f32>) -> Result<(), RecordingError> {
        samples.clear();
        if self.depth == Depth::Double {
            // These `hound` does not know.
            let (doubles, _) = file[Self::HEADER..].as_chunks();
            samples.extend(doubles.iter().map(|&bytes| f64::from_le_bytes(bytes) as f32));
            return Ok(());
        }
        let mut wav = WavReader::new(file)?;
        samples.reserve(wav.len() as usize);
        match wav.spec() {
            WavSpec { sample_format: SampleFormat::Int, bits_per_sample, .. } => {
                let full = 2_f32.powi(i32::from(bits_per_sample) - 1);
                for sample in wav.samples::<i32>() {
                    samples.push(sample? as f32 / full);
                }
            }
            WavSpec { sample_format: SampleFormat::Float, .. } => {
                for sample in wav.samples() {
                    samples.push(sample?);
                }
            }
        }
        Ok(())
    }
}

fn unsupported<T>(what: impl Into<String>) -> Result<T, RecordingError> {
    Err(RecordingError::Unsupported(what.into()))
}

/// Goes through the chunks up to the data, and tells their format and promised length in bytes.
/// The reader then stands at the first sample.
fn find_data(file: &mut BufReader<Box<dyn Source>>) -> Result<(Format, u32), RecordingError> {
    let mut format = None;
    loop {
        let [a, b, c, d, length @ ..] = read_array::<8>(file)?;
        let length = u32::from_le_bytes(length);
        // A chunk of odd length is followed by a byte that its length does not count.
        let padded = i64::from(length) + i64::from(length % 2);
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
                return Ok((format, length));
            }
            _ => file.seek_relative(padded)?,
        }
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

impl From<hound::Error> for RecordingError {
    fn from(error: hound::Error) -> Self {
        match error {
            hound::Error::IoError(e) => Self::Io(e),
            hound::Error::FormatError(problem) => Self::Header(problem.into()),
            other => Self::Header(other.to_string()),
        }
    }
}

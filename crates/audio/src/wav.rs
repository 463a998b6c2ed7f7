//! WAV files: checked against what their headers promise, decoded with `hound`, mixed to mono.
//!
//! A WAV file is a RIFF file: chunks of a four-letter name, a length and so many bytes, of which
//! `fmt ` describes the samples and `data` holds them (Multimedia Programming Interface and Data
//! Specifications 1.0, IBM and Microsoft 1991, chapter 3).

use std::{
    fmt,
    fs::File,
    io::{self, BufReader, Read, Seek},
    ops::RangeInclusive,
    path::Path,
};

use hound::{SampleFormat, WavReader};

/// Why a file cannot be read as a WAV file. The path is left to the caller, who knows it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WavError {
    /// The operating system refused.
    #[error("cannot be read")]
    Io(#[from] io::Error),
    /// The file is of another kind.
    #[error("not a WAV file: {0}")]
    Foreign(String),
    /// The header contradicts itself or what is possible.
    #[error("its WAV header is broken: {0}")]
    Header(String),
    /// A WAV file whose samples are of a kind that is not read here.
    #[error(
        "its samples are {0}; 8, 16, 24 and 32-bit integers and 32-bit floats can be read: \
         convert it, as with `ffmpeg -i FILE -c:a pcm_s16le out.wav`"
    )]
    Unsupported(String),
    /// There is less data than the header says.
    #[error(
        "the header promises {} samples, the file holds {}: it is cut short",
        Thousands(*.promised),
        Thousands(*.found)
    )]
    CutShort {
        /// Samples a channel, by the header.
        promised: u64,
        /// Whole samples a channel that are there.
        found: u64,
    },
    /// A recording of no length.
    #[error("it holds no samples")]
    Empty,
    /// A float that cannot be sound.
    #[error("sample {at} is {value}: it is broken, or its samples are not floats", at = Thousands(*.at))]
    NotSound {
        /// Its number in its channel, from 0.
        at: u64,
        /// Its value, the mean over the channels.
        value: f32,
    },
}

/// An open WAV file whose header has been read and agrees with the file's length.
#[derive(Debug)]
pub struct Wav {
    /// Stands at the first sample.
    file: BufReader<File>,
    format: Format,
    samples: u64,
}

/// Sample rates that can be meant, in Hz: a header with another one lies.
const RATES: RangeInclusive<u32> = 1..=768_000;

/// The largest float that can be meant: the full scale of 32-bit integers, for files of integers
/// that were stored as floats.
const LOUDEST: f32 = 2_147_483_648.;

impl Wav {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// Everything but [`WavError::NotSound`].
    pub fn open(path: &Path) -> Result<Self, WavError> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut file = BufReader::new(file);
        let (format, promised) = find_data(&mut file)?;
        let found = length.saturating_sub(file.stream_position()?);
        // A program that writes to a pipe cannot know the length, and says so with all ones.
        let unknown = promised == u32::MAX;
        let data = if unknown { found - found % format.block } else { promised.into() };
        let samples = data / format.block;
        if data > found {
            return Err(WavError::CutShort { promised: samples, found: found / format.block });
        }
        if samples == 0 {
            return Err(WavError::Empty);
        }
        if data % format.block != 0 {
            let block = format.block;
            return Err(WavError::Header(format!("{data} bytes of data in samples of {block}")));
        }
        Ok(Self { file, format, samples })
    }

    /// Samples a second, in Hz.
    pub fn sample_rate(&self) -> u32 {
        self.format.sample_rate
    }

    /// The number of channels, at least 1.
    pub fn channels(&self) -> u16 {
        self.format.channels
    }

    /// Samples a channel, at least 1.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Decodes the first `most` samples, or all if there are fewer. Integers are scaled to -1..1,
    /// floats stay as they are, channels are averaged.
    ///
    /// # Errors
    /// If the file cannot be read, or a float is infinite, not a number, or above all that can be
    /// meant.
    pub fn read(self, most: usize) -> Result<Vec<f32>, WavError> {
        let Self { file, format, samples } = self;
        let count = usize::try_from(samples).unwrap_or(usize::MAX).min(most);
        let size = (count as u64).saturating_mul(format.block);
        let header = format.header(size)?;
        // No more than the file holds, which was checked when it was opened.
        let mut bytes = Vec::with_capacity(header.len() + size as usize);
        bytes.extend(header);
        file.take(size).read_to_end(&mut bytes)?;
        let mut wav = WavReader::new(&bytes[..])?;
        let (spec, length) = (wav.spec(), wav.len() as usize);
        let mut samples = Vec::with_capacity(length);
        match spec.sample_format {
            SampleFormat::Int => {
                let full = 2_f32.powi(i32::from(spec.bits_per_sample) - 1);
                for sample in wav.samples::<i32>() {
                    samples.push(sample? as f32 / full);
                }
            }
            SampleFormat::Float => {
                for sample in wav.samples() {
                    samples.push(sample?);
                }
            }
        }
        let mono = mix(samples, format.channels);
        match mono.iter().position(|x| x.is_nan() || x.abs() > LOUDEST) {
            Some(at) => Err(WavError::NotSound { at: at as u64, value: mono[at] }),
            None => Ok(mono),
        }
    }
}

/// The means over the channels, whose samples take turns.
fn mix(samples: Vec<f32>, channels: u16) -> Vec<f32> {
    match channels {
        1 => samples,
        n => samples
            .chunks_exact(n.into())
            .map(|sample| sample.iter().sum::<f32>() / f32::from(n))
            .collect(),
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
}

impl Format {
    const INTEGERS: u16 = 1;
    const FLOATS: u16 = 3;
    const EXTENDED: u16 = 0xfffe;
    /// What follows the tag at byte 24 of an extended format, if it is a tag.
    const EXTENDED_REST: &[u8] = b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71";

    fn parse(chunk: &[u8]) -> Result<Self, WavError> {
        let u16_at = |at: usize| u16::from_le_bytes([chunk[at], chunk[at + 1]]);
        let broken = |problem: String| Err(WavError::Header(problem));
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
            (Self::INTEGERS, 8 | 16 | 24 | 32) | (Self::FLOATS, 32) => {}
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
        if !RATES.contains(&rate) {
            return broken(format!("a sample rate of {} Hz", Thousands(rate.into())));
        }
        // 24 bits in 4 bytes stand at the bottom in a plain format (ALSA's S24_LE).
        let fits = matches!((block / channels, bits), (1, 8) | (2, 16) | (3 | 4, 24) | (4, 32));
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
        Ok(Self { bytes, channels, sample_rate: rate, block: block.into() })
    }

    /// The header of a plain WAV file of `size` bytes of samples: `hound` knows neither every
    /// variant of the format chunk nor the padding of other chunks, and is spared both.
    fn header(&self, size: u64) -> Result<[u8; 44], WavError> {
        let too_long = |_| WavError::Header(format!("{size} bytes of data, over 4 GiB"));
        let size = u32::try_from(size).map_err(too_long)?;
        let mut header = *b"RIFF____WAVEfmt \x10\0\0\0________________data____";
        header[4..8].copy_from_slice(&size.saturating_add(36).to_le_bytes());
        header[20..36].copy_from_slice(&self.bytes);
        header[40..].copy_from_slice(&size.to_le_bytes());
        Ok(header)
    }
}

fn unsupported<T>(what: impl Into<String>) -> Result<T, WavError> {
    Err(WavError::Unsupported(what.into()))
}

/// Goes through the chunks up to the data, and tells their format and promised length in bytes.
/// The reader then stands at the first sample.
fn find_data(file: &mut BufReader<File>) -> Result<(Format, u32), WavError> {
    let mut start = Vec::with_capacity(12);
    file.by_ref().take(12).read_to_end(&mut start)?;
    if start.len() < 12 || !start.starts_with(b"RIFF") || !start.ends_with(b"WAVE") {
        return Err(WavError::Foreign(describe(&start)));
    }
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
                let format = format
                    .ok_or_else(|| WavError::Header("the data comes before its format".into()))?;
                return Ok((format, length));
            }
            _ => file.seek_relative(padded)?,
        }
    }
}

fn read_array<const N: usize>(file: &mut BufReader<File>) -> Result<[u8; N], WavError> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes).map_err(|e| match e.kind() {
        io::ErrorKind::UnexpectedEof => WavError::Header("the file ends before its data".into()),
        _ => e.into(),
    })?;
    Ok(bytes)
}

/// What a file is that starts with these twelve bytes, or consists of them if there are fewer.
fn describe(start: &[u8]) -> String {
    let audio = match start {
        [] => return "it is empty".into(),
        [b'I', b'D', b'3', ..] | [0xff, 0xe0..=0xff, ..] => "an MP3",
        [b'f', b'L', b'a', b'C', ..] => "a FLAC",
        [b'O', b'g', b'g', b'S', ..] => "an Ogg",
        [b'F', b'O', b'R', b'M', ..] => "an AIFF",
        [b'R', b'F', b'6', b'4', ..] => "an RF64",
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => "an MPEG-4",
        _ if start.len() < 12 => return format!("it ends after {} bytes", start.len()),
        _ => return "it does not start as one, with RIFF and WAVE".into(),
    };
    format!("it is {audio} file; convert it, as with `ffmpeg -i FILE out.wav`")
}

impl From<hound::Error> for WavError {
    fn from(error: hound::Error) -> Self {
        match error {
            hound::Error::IoError(e) => Self::Io(e),
            hound::Error::FormatError(problem) => Self::Header(problem.into()),
            other => Self::Header(other.to_string()),
        }
    }
}

/// A number with its thousands apart: 48,000.
struct Thousands(u64);

impl fmt::Display for Thousands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

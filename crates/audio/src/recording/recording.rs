//! A recording of any kind: opened, its header read, then decoded.

use std::{
    fmt,
    fs::File,
    io::{BufRead, BufReader, Cursor, Seek},
    path::Path,
};

use super::{error::RecordingError, kind::Kind, packed::Packed, source::Source, wav::Wav};

/// The largest float that can be meant: the full scale of 32-bit integers, for files of integers
/// that were stored as floats.
const LOUDEST: f32 = 2_147_483_648.;

/// An open recording whose header has been read: WAV, FLAC, MP3, Ogg Vorbis or AIFF,
/// recognised by its contents.
#[derive(Debug)]
pub struct Recording(Container);

#[derive(Debug)]
enum Container {
    Wav(Wav),
    Packed(Packed),
}

impl Recording {
    /// Endings of the files that are recordings, in lower case, without the dot.
    pub const EXTENSIONS: &[&str] = Kind::EXTENSIONS;

    /// Whether a file that starts with these bytes is a recording. A text may begin with `ID3`, too.
    pub fn starts(start: &[u8]) -> bool {
        let tagged = start.starts_with(b"ID3") && start.get(3).is_none_or(|&major| major > 9);
        !tagged && Kind::of(start).is_ok()
    }

    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// If the file cannot be read, is of another kind, or has a header that cannot be true.
    pub fn open(path: &Path) -> Result<Self, RecordingError> {
        // Opening a pipe would wait for somebody to write into it.
        if !path.metadata()?.is_file() {
            return Err(RecordingError::Foreign("it is not a file".into()));
        }
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Self::from_source(Box::new(file), length)
    }

    /// The same for a file in memory.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_bytes(
        bytes: impl AsRef<[u8]> + Send + Sync + fmt::Debug + 'static,
    ) -> Result<Self, RecordingError> {
        let length = bytes.as_ref().len() as u64;
        Self::from_source(Box::new(Cursor::new(bytes)), length)
    }

    fn from_source(source: Box<dyn Source>, length: u64) -> Result<Self, RecordingError> {
        let mut file = BufReader::new(source);
        let start = file.fill_buf()?;
        let kind = Kind::of(&start[..start.len().min(Kind::BYTES)]);
        Ok(Self(match kind.map_err(RecordingError::Foreign)? {
            Kind::Wav => Container::Wav(Wav::new(file, length)?),
            kind => {
                let mut source = file.into_inner();
                source.rewind()?;
                Container::Packed(Packed::new(source, length, kind)?)
            }
        }))
    }

    /// Samples a second, in Hz.
    pub fn sample_rate(&self) -> u32 {
        match &self.0 {
            Container::Wav(wav) => wav.sample_rate(),
            Container::Packed(packed) => packed.sample_rate(),
        }
    }

    /// The number of channels, at least 1; `None`: only its samples tell.
    pub fn channels(&self) -> Option<usize> {
        match &self.0 {
            Container::Wav(wav) => Some(wav.channels().into()),
            Container::Packed(packed) => packed.channels(),
        }
    }

    /// Samples a channel, by the header. An MP3 without one is estimated; `None`: only its samples
    /// tell.
    pub fn samples(&self) -> Option<u64> {
        match &self.0 {
            Container::Wav(wav) => Some(wav.samples()),
            Container::Packed(packed) => packed.samples(),
        }
    }

    /// Its length in seconds, by the header or else by decoding it.
    ///
    /// # Errors
    /// As [`read`](Self::read), where it has to be decoded.
    pub fn seconds(self) -> Result<f64, RecordingError> {
        let rate = f64::from(self.sample_rate());
        let samples = match self.samples() {
            Some(samples) => samples,
            None => self.read(usize::MAX)?.len() as u64,
        };
        Ok(samples as f64 / rate)
    }

    /// Decodes the first `most` samples, or all if there are fewer. Integers are scaled to -1..1,
    /// floats stay as they are, channels are averaged.
    ///
    /// # Errors
    /// If the file cannot be read, ends before its header says, holds no samples or more than
    /// 2²⁷ of those that are asked for, or if a float is infinite, not a number, or above all that
    /// can be meant.
    pub fn read(self, most: usize) -> Result<Vec<f32>, RecordingError> {
        let mono = match self.0 {
            Container::Wav(wav) => wav.read(most)?,
            Container::Packed(packed) => packed.read(most)?,
        };
        match mono.iter().position(|x| x.is_nan() || x.abs() > LOUDEST) {
            Some(at) => Err(RecordingError::NotSound { at: at as u64, value: mono[at] }),
            None => Ok(mono),
        }
    }
}

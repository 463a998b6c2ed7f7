//! A recording of any kind: opened, its header read, then decoded.

use std::{
    fmt,
    fs::File,
    io::{BufReader, Cursor, Seek, SeekFrom},
    ops::ControlFlow,
    path::Path,
};

use super::{
    au,
    error::RecordingError,
    kind::Kind,
    packed::Packed,
    pcm::Pcm,
    source::{LONGEST, Source},
    wav,
};

/// The largest float that can be meant: the full scale of 32-bit integers, for files of integers
/// that were stored as floats.
const LOUDEST: f32 = 2_147_483_648.;

/// An open recording whose header has been read: WAV, FLAC, MP3, AAC (bare or in MPEG-4), ALAC, Ogg
/// Vorbis, AIFF or AU, recognised by its contents.
#[derive(Debug)]
pub struct Recording(Container);

#[derive(Debug)]
enum Container {
    Pcm(Pcm),
    Packed(Packed),
}

impl Recording {
    /// Endings of the files that are recordings, in lower case, without the dot.
    pub const EXTENSIONS: &[&str] = Kind::EXTENSIONS;

    /// Whether a file that starts with these bytes is a recording.
    pub fn starts(start: &[u8]) -> bool {
        Kind::starts(start)
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

    fn from_source(mut source: Box<dyn Source>, length: u64) -> Result<Self, RecordingError> {
        let found = Kind::find(&mut *source)?.map_err(RecordingError::Foreign)?;
        Ok(Self(match found.kind {
            kind @ (Kind::Wav | Kind::Au) => {
                source.seek(SeekFrom::Start(found.start))?;
                let (file, length) = (BufReader::new(source), length - found.start);
                let open = if kind == Kind::Wav { wav::open } else { au::open };
                Container::Pcm(open(file, length)?)
            }
            _ => Container::Packed(Packed::new(source, length, found)?),
        }))
    }

    /// Samples a second, in Hz.
    pub fn sample_rate(&self) -> u32 {
        match &self.0 {
            Container::Pcm(pcm) => pcm.format.sample_rate,
            Container::Packed(packed) => packed.sample_rate(),
        }
    }

    /// The number of channels, at least 1; `None`: only its samples tell.
    pub fn channels(&self) -> Option<usize> {
        match &self.0 {
            Container::Pcm(pcm) => Some(pcm.format.channels.into()),
            Container::Packed(packed) => packed.channels(),
        }
    }

    /// Samples a channel, by the header; `None`: only what follows tells.
    pub fn samples(&self) -> Option<u64> {
        match &self.0 {
            Container::Pcm(pcm) => Some(pcm.samples),
            Container::Packed(packed) => packed.samples(),
        }
    }

    /// Samples a channel: by the header, else by its frames (an MP3 without a tag), or else by decoding
    /// it.
    ///
    /// # Errors
    /// As [`verify`](Self::verify), where the header does not tell.
    pub fn count(self) -> Result<u64, RecordingError> {
        match self.0 {
            Container::Pcm(pcm) => Ok(pcm.samples),
            Container::Packed(packed) => match packed.samples() {
                Some(samples) => Ok(samples),
                None if packed.has_frames() => packed.count(),
                None => Self(Container::Packed(packed)).verify(),
            },
        }
    }

    /// Its length in seconds, by its [count](Self::count) of samples.
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub fn seconds(self) -> Result<f64, RecordingError> {
        let rate = f64::from(self.sample_rate());
        Ok(self.count()? as f64 / rate)
    }

    /// Decodes the first `most` samples, or all if there are fewer. Integers are scaled to -1..1,
    /// floats stay as they are, channels are averaged. What follows the first recording of a file is
    /// brought to its rate.
    ///
    /// # Errors
    /// If the file cannot be read, holds no samples or more than 2²⁷ of those that are asked for, if
    /// a float is infinite, not a number, or above all that can be meant, or if the file ends before
    /// its header says and either the header alone tells so, as WAV's does, or the end is among what
    /// is asked for.
    pub fn read(self, most: usize) -> Result<Vec<f32>, RecordingError> {
        let rate = self.sample_rate();
        let too_long = RecordingError::TooLong { most: LONGEST, rate };
        let mut mono = match &self.0 {
            // No more than the file holds, which was checked when it was opened.
            Container::Pcm(pcm) => match pcm.samples.min(most as u64) {
                count if count > LONGEST => return Err(too_long),
                count => Vec::with_capacity(count as usize),
            },
            Container::Packed(_) => vec![],
        };
        let mut too_long = Some(too_long);
        self.decode(most as u64, |samples| {
            mono.extend_from_slice(samples);
            too_long.take_if(|_| mono.len() as u64 > LONGEST).map_or(Ok(()), Err)
        })?;
        Ok(mono)
    }

    /// Decodes all of it piece by piece, as [`read`](Self::read) does, but holds none of them: at most as
    /// many as are the longest at `rate`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(crate) fn read_pieces(
        self,
        rate: u32,
        mut take: impl FnMut(&[f32]),
    ) -> Result<(), RecordingError> {
        let most = LONGEST.saturating_mul(self.sample_rate().into()) / u64::from(rate.max(1));
        let mut too_long = Some(RecordingError::TooLong { most: LONGEST, rate });
        let mut samples = 0;
        self.decode(u64::MAX, |piece| {
            samples += piece.len() as u64;
            take(piece);
            too_long.take_if(|_| samples > most).map_or(Ok(()), Err)
        })
    }

    /// Decodes it to its end, however long it is, and returns the number of samples a channel.
    ///
    /// # Errors
    /// If it cannot be decoded to its end, or holds no samples.
    pub fn verify(self) -> Result<u64, RecordingError> {
        let mut samples = 0;
        self.decode(u64::MAX, |piece| {
            samples += piece.len() as u64;
            Ok(())
        })?;
        Ok(samples)
    }

    /// Decodes the first `most` samples piece by piece.
    fn decode(
        self,
        most: u64,
        mut take: impl FnMut(&[f32]) -> Result<(), RecordingError>,
    ) -> Result<(), RecordingError> {
        let mut heard = 0;
        let take = |samples: &[f32]| {
            let samples = &samples[..(most - heard).min(samples.len() as u64) as usize];
            if let Some(at) = samples.iter().position(|x| x.is_nan() || x.abs() > LOUDEST) {
                let value = samples[at];
                return Err(RecordingError::NotSound { at: heard + at as u64, value });
            }
            heard += samples.len() as u64;
            take(samples)?;
            Ok(if heard < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        };
        match self.0 {
            Container::Pcm(pcm) => pcm.decode(take)?,
            Container::Packed(packed) => packed.decode(take)?,
        }
        if heard == 0 && most > 0 { Err(RecordingError::Empty) } else { Ok(()) }
    }
}

//! Why a recording cannot be read.

use std::{fmt, io};

/// Why a file cannot be read as a recording. The path is left to the caller, who knows it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The operating system refused.
    #[error("cannot be read")]
    Io(#[from] io::Error),
    /// The file is of another kind.
    #[error(
        "not a recording of a kind that can be read (WAV, FLAC, MP3, AAC, Ogg Vorbis, \
         AIFF, AU): {0}"
    )]
    Foreign(String),
    /// The header of a WAV file contradicts itself or what is possible.
    #[error("its WAV header is broken: {0}")]
    Header(String),
    /// The contents contradict what the container promises.
    #[error("its {container} data is broken{}: {problem}", At(*.at))]
    Broken {
        /// The kind of file.
        container: &'static str,
        /// What is wrong.
        problem: String,
        /// After how much of it, in seconds; `None`: before the first sample.
        at: Option<f64>,
    },
    /// Samples of a kind that is not read here.
    #[error("its samples are {0}: convert it, as with `ffmpeg -i FILE -c:a pcm_s16le out.wav`")]
    Unsupported(String),
    /// There is less data than the header says.
    #[error(
        "the header promises {} samples, the file holds {}, {:.2} of {:.2} s: it is cut short",
        Thousands(*.promised),
        Thousands(*.found),
        *.found as f64 / f64::from(*.rate),
        *.promised as f64 / f64::from(*.rate)
    )]
    CutShort {
        /// Samples a channel, by the header.
        promised: u64,
        /// Whole samples a channel that are there.
        found: u64,
        /// In Hz.
        rate: u32,
    },
    /// A recording of no length.
    #[error("it holds no samples")]
    Empty,
    /// More than is read at a time.
    #[error(
        "it is longer than {} samples, {:.0} minutes at its rate: split it",
        Thousands(*.most),
        *.most as f64 / f64::from(*.rate) / 60.
    )]
    TooLong {
        /// The most samples a channel.
        most: u64,
        /// In Hz.
        rate: u32,
    },
    /// A float that cannot be sound.
    #[error("sample {at} is {value}: it is broken, or its samples are not floats", at = Thousands(*.at))]
    NotSound {
        /// Its number in its channel, from 0.
        at: u64,
        /// Its value, the mean over the channels.
        value: f32,
    },
}

/// A place in a recording, in seconds: ` at 1.25 s`.
struct At(Option<f64>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |seconds| write!(f, " at {seconds:.2} s"))
    }
}

/// A number with its thousands apart: 48,000.
pub(super) struct Thousands(pub(super) u64);

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

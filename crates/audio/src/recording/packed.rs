//! Recordings that are packed, or in a container other than WAV: decoded with `symphonia`.

use std::{
    fmt,
    io::{self, Read, Seek, SeekFrom},
    panic::{self, AssertUnwindSafe},
};

use symphonia::{
    core::{
        codecs::audio::{AudioDecoder, AudioDecoderOptions},
        errors::Error as Refusal,
        formats::{FormatReader, TrackType, probe::Hint},
        io::{MediaSource, MediaSourceStream},
    },
    default,
};

use super::{
    error::RecordingError,
    kind::Kind,
    source::{LONGEST, Source, mix, possible_rate},
};

/// A recording whose container has been opened and whose decoder is ready.
pub(super) struct Packed {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    kind: Kind,
    sample_rate: u32,
    channels: Option<usize>,
    samples: Option<u64>,
    promise: Promise,
}

/// How reliable a container's number of samples is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Promise {
    /// It was counted when the file was written.
    Counted,
    /// It was estimated from the file's length.
    Estimated,
}

impl Packed {
    /// Opens a file of `length` bytes, from its beginning.
    pub(super) fn new(
        source: Box<dyn Source>,
        length: u64,
        kind: Kind,
    ) -> Result<Self, RecordingError> {
        contained(kind, || Self::open(source, length, kind))
    }

    fn open(mut source: Box<dyn Source>, length: u64, kind: Kind) -> Result<Self, RecordingError> {
        let broken = |refusal| refused(kind, refusal);
        if kind == Kind::Ogg {
            whole_ogg(&mut source, length)?;
        }
        let stream =
            MediaSourceStream::new(Box::new(Stream { source, length }), Default::default());
        let format = default::get_probe()
            .probe(&Hint::new(), stream, Default::default(), Default::default())
            .map_err(|refusal| match refusal {
                // By its first bytes it is of this kind, but of what follows nothing fits.
                Refusal::Unsupported(_) => RecordingError::Broken {
                    container: kind.name(),
                    problem: "it holds none that can be decoded".into(),
                },
                other => broken(other),
            })?;
        let track = format.default_track(TrackType::Audio);
        let Some((track, codec)) =
            track.and_then(|track| Some((track, track.codec_params.as_ref()?.audio()?)))
        else {
            let unknown = "of a codec that is not known (Opus and Speex are not)";
            return Err(RecordingError::Unsupported(unknown.into()));
        };
        let rate = codec.sample_rate.unwrap_or(0);
        let sample_rate = possible_rate(rate)
            .map_err(|problem| RecordingError::Broken { container: kind.name(), problem })?;
        // Only an encoder that counted says how much it padded; an estimated number must not be used
        // as the end.
        let promise = match kind {
            Kind::Mp3 if track.delay.is_none() => Promise::Estimated,
            _ => Promise::Counted,
        };
        let options = AudioDecoderOptions::default().gapless(promise == Promise::Counted);
        let decoder = default::get_codecs().make_audio_decoder(codec, &options).map_err(broken)?;
        Ok(Self {
            track: track.id,
            channels: codec.channels.as_ref().map(|channels| channels.count()),
            samples: track.num_frames.filter(|&samples| samples > 0),
            decoder,
            format,
            kind,
            sample_rate,
            promise,
        })
    }

    pub(super) fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    pub(super) fn channels(&self) -> Option<usize> {
        self.channels
    }

    pub(super) fn samples(&self) -> Option<u64> {
        self.samples
    }

    /// Decodes the first `most` samples, or all if there are fewer.
    pub(super) fn read(self, most: usize) -> Result<Vec<f32>, RecordingError> {
        contained(self.kind, || self.decode(most))
    }

    fn decode(mut self, most: usize) -> Result<Vec<f32>, RecordingError> {
        let (kind, rate) = (self.kind, self.sample_rate);
        let broken = |problem: String| RecordingError::Broken { container: kind.name(), problem };
        let (mut mono, mut all) = (vec![], vec![]);
        while mono.len() < most {
            let Some(packet) = self.format.next_packet().map_err(|e| refused(kind, e))? else {
                break;
            };
            if packet.track_id != self.track {
                continue;
            }
            let decoded = self.decoder.decode(&packet).map_err(|e| refused(kind, e))?;
            if decoded.spec().rate() != rate {
                let other = decoded.spec().rate();
                return Err(broken(format!("its rate changes from {rate} Hz to {other} Hz")));
            }
            if decoded.num_planes() > 0 {
                decoded.copy_to_vec_interleaved::<f32>(&mut all);
                mix(&all, decoded.num_planes(), &mut mono);
            }
            if mono.len().min(most) as u64 > LONGEST {
                return Err(RecordingError::TooLong { most: LONGEST, rate });
            }
        }
        mono.truncate(most);
        let found = mono.len() as u64;
        match self.samples {
            Some(promised)
                if self.promise == Promise::Counted && found < promised.min(most as u64) =>
            {
                Err(RecordingError::CutShort { promised, found })
            }
            _ if found == 0 && most > 0 => Err(RecordingError::Empty),
            _ => Ok(mono),
        }
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, sample_rate, channels, samples, .. } = self;
        f.debug_struct("Packed")
            .field("kind", kind)
            .field("sample_rate", sample_rate)
            .field("channels", channels)
            .field("samples", samples)
            .finish_non_exhaustive()
    }
}

/// Runs the library on a file that may be broken in ways that it did not think of (a product of
/// channels and bits that overflows, say): a panic is an error of this file, and not the end of all.
fn contained<T>(
    kind: Kind,
    work: impl FnOnce() -> Result<T, RecordingError>,
) -> Result<T, RecordingError> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let problem = "decoding it failed in a way that it should not".into();
        Err(RecordingError::Broken { container: kind.name(), problem })
    })
}

/// What the library says, for a person.
fn refused(kind: Kind, refusal: Refusal) -> RecordingError {
    let problem = match refusal {
        Refusal::IoError(e) if e.kind() == io::ErrorKind::UnexpectedEof => "it is cut short".into(),
        Refusal::IoError(e) if e.raw_os_error().is_some() => return RecordingError::Io(e),
        Refusal::IoError(e) => e.to_string(),
        Refusal::Unsupported(what) => {
            return RecordingError::Unsupported(format!("of a kind that is not read ({what})"));
        }
        Refusal::DecodeError(what) | Refusal::LimitError(what) => what.to_owned(),
        other => other.to_string(),
    };
    RecordingError::Broken { container: kind.name(), problem }
}

/// Checks that an Ogg file ends with a last page (RFC 3533, §6), the only sign that it is whole.
fn whole_ogg(source: &mut Box<dyn Source>, length: u64) -> Result<(), RecordingError> {
    /// The longest page: a header, 255 segments, and their lengths.
    const LONGEST_PAGE: u64 = 27 + 255 + 255 * 255;
    const LAST: u8 = 4;

    source.seek(SeekFrom::Start(length.saturating_sub(LONGEST_PAGE)))?;
    let mut end = Vec::with_capacity(length.min(LONGEST_PAGE) as usize);
    source.by_ref().take(LONGEST_PAGE).read_to_end(&mut end)?;
    source.rewind()?;
    let page = end.windows(4).rposition(|magic| magic == b"OggS").map_or(&[][..], |at| &end[at..]);
    let whole = page.get(27..).is_some_and(|rest| {
        let segments = usize::from(page[26]);
        let lengths = rest.get(..segments);
        let size = lengths.map(|lengths| lengths.iter().map(|&n| usize::from(n)).sum::<usize>());
        size.is_some_and(|size| rest.len() >= segments + size) && page[5] & LAST != 0
    });
    match whole {
        true => Ok(()),
        false => Err(RecordingError::Broken {
            container: Kind::Ogg.name(),
            problem: "its last page is not there: it is cut short".into(),
        }),
    }
}

/// A source as the library takes it.
struct Stream {
    source: Box<dyn Source>,
    length: u64,
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.source.read(buffer)
    }
}

impl Seek for Stream {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.source.seek(to)
    }
}

impl MediaSource for Stream {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}

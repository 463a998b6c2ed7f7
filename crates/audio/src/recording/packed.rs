//! Recordings that are packed, or in a container other than WAV: decoded with `symphonia`.

use std::{
    fmt,
    io::{self, Read, Seek, SeekFrom},
    ops::ControlFlow,
    panic::{self, AssertUnwindSafe},
};

use symphonia::{
    core::{
        codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions},
        errors::Error as Refusal,
        formats::{FormatReader, Track, TrackType, probe::Hint},
        io::MediaSourceStream,
        packet::Packet,
    },
    default,
};

use super::{
    error::RecordingError,
    kind::{Found, Kind},
    mp4, mpeg,
    ogg::Pages,
    pieces::Pieces,
    source::{Source, mix, possible_rate},
    stream::Stream,
};

/// A recording whose container has been opened and whose decoder is ready.
pub(super) struct Packed {
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    track: u32,
    kind: Kind,
    sample_rate: u32,
    channels: Option<usize>,
    /// As they were counted when the file was written.
    samples: Option<u64>,
    /// Samples of the track that stand before the recording.
    skip: u64,
    /// Whether the decoder takes off what the encoder padded.
    gapless: bool,
    /// Whether the container's end is not there.
    cut: bool,
}

impl Packed {
    /// Opens a file of `length` bytes.
    pub(super) fn new(
        source: Box<dyn Source>,
        length: u64,
        found: Found,
    ) -> Result<Self, RecordingError> {
        contained(found.kind, || Self::open(Stream::new(source, length, found)?, found.kind))
    }

    fn open(mut stream: Stream, kind: Kind) -> Result<Self, RecordingError> {
        let pages = match kind {
            Kind::Ogg => Pages::of(&mut stream)?,
            _ => Pages { whole: true, chained: false },
        };
        let index = match kind {
            Kind::Mp4 => mp4::index(&mut stream)?,
            _ => mp4::Index::default(),
        };
        let stream = MediaSourceStream::new(Box::new(stream), Default::default());
        let format = default::get_probe()
            .probe(&Hint::new(), stream, Default::default(), Default::default())
            .map_err(|refusal| match refusal {
                Refusal::Unsupported(_) if kind == Kind::Mp4 => {
                    broken(kind, None, "it has no index: it may be cut short")
                }
                // By its first bytes it is of this kind, but of what follows nothing fits.
                Refusal::Unsupported(_) if kind == Kind::Mp3 => broken(
                    kind,
                    None,
                    "it holds none that can be decoded; free-format MP3 is not read",
                ),
                Refusal::Unsupported(_) => broken(kind, None, "it holds none that can be decoded"),
                other => refused(kind, None, other),
            })?;
        let (track, codec) = sound(&*format)?;
        let sample_rate = possible_rate(codec.sample_rate.unwrap_or(0))
            .map_err(|problem| broken(kind, None, problem))?;
        // Only an encoder that counted says how much it padded; an estimated number must not be used
        // as the end.
        let gapless = kind != Kind::Mp3 || track.delay.is_some();
        let counted = match kind {
            Kind::Mp3 => gapless,
            Kind::Aac => false,
            Kind::Mp4 => !index.fragmented,
            Kind::Ogg => !pages.chained,
            _ => true,
        };
        let (skip, most) = index.edit.map_or((0, None), |edit| edit.samples(sample_rate));
        let samples = track.num_frames.filter(|&samples| counted && samples > 0);
        let samples = samples.map(|n| n.saturating_sub(skip).min(most.unwrap_or(u64::MAX)));
        let channels = codec.channels.as_ref().map(|channels| channels.count());
        let (track, decoder) = decoder(&*format, gapless, kind, None)?;
        let cut = !pages.whole;
        Ok(Self {
            format,
            decoder,
            track,
            kind,
            sample_rate,
            channels,
            samples,
            skip,
            gapless,
            cut,
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

    /// Whether its frames tell how long they are without being decoded.
    pub(super) fn has_frames(&self) -> bool {
        matches!(self.kind, Kind::Mp3 | Kind::Aac)
    }

    /// How many samples its frames stand for.
    pub(super) fn count(mut self) -> Result<u64, RecordingError> {
        contained(self.kind, || {
            let (kind, mut samples) = (self.kind, 0_u64);
            while let Some(packet) =
                self.format.next_packet().map_err(|e| refused(kind, None, e))?
            {
                samples = samples.saturating_add(packet.dur.get());
            }
            Ok(samples)
        })
    }

    /// Decodes the samples piece by piece, the means over the channels, for as long as more are
    /// wanted.
    pub(super) fn decode(
        self,
        take: impl FnMut(&[f32]) -> Result<ControlFlow<()>, RecordingError>,
    ) -> Result<(), RecordingError> {
        let pieces = Pieces::new(self.sample_rate, self.skip, self.samples, take);
        contained(self.kind, || self.decode_into(pieces))
    }

    fn decode_into<T>(mut self, mut pieces: Pieces<T>) -> Result<(), RecordingError>
    where
        T: FnMut(&[f32]) -> Result<ControlFlow<()>, RecordingError>,
    {
        let kind = self.kind;
        let (mut all, mut mono, mut last) = (vec![], vec![], None);
        loop {
            let at = Some(pieces.seconds());
            let packet = match self.format.next_packet() {
                Ok(Some(packet)) => packet,
                Ok(None) => break,
                // One recording ends and another begins.
                Err(Refusal::ResetRequired) => {
                    (self.track, self.decoder) = decoder(&*self.format, self.gapless, kind, at)?;
                    continue;
                }
                Err(refusal) => return Err(refused(kind, at, refusal)),
            };
            if packet.track_id != self.track {
                continue;
            }
            let decoded = self.decoder.decode(&packet).map_err(|e| refused(kind, at, e))?;
            let (rate, channels) = (decoded.spec().rate(), decoded.num_planes());
            mono.clear();
            if channels > 0 {
                decoded.copy_to_vec_interleaved::<f32>(&mut all);
                mix(&all, channels, &mut mono);
            }
            // A file whose end is not there is heard to where it breaks, to say so.
            if pieces.give(rate, &mono)?.is_break() && !self.cut {
                return Ok(());
            }
            last = Some(packet);
        }
        let is_whole = pieces.finish()?;
        let (found, rate, at) = (pieces.found(), self.sample_rate, Some(pieces.seconds()));
        match self.samples {
            _ if self.cut => Err(broken(kind, at, "its last page is not there: it is cut short")),
            Some(promised) if !is_whole => Err(RecordingError::CutShort { promised, found, rate }),
            None if kind == Kind::Mp3 && ends_torn(self.format, last.as_ref())? => {
                Err(broken(kind, at, "it is cut short, within a frame"))
            }
            _ => Ok(()),
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

/// The track of sound, and how it is coded.
fn sound(format: &dyn FormatReader) -> Result<(&Track, &AudioCodecParameters), RecordingError> {
    let track = format.default_track(TrackType::Audio).ok_or_else(unknown)?;
    let codec = track.codec_params.as_ref().and_then(|codec| codec.audio()).ok_or_else(unknown)?;
    Ok((track, codec))
}

/// The number of the track of sound, and a decoder for it.
fn decoder(
    format: &dyn FormatReader,
    gapless: bool,
    kind: Kind,
    at: Option<f64>,
) -> Result<(u32, Box<dyn AudioDecoder>), RecordingError> {
    let (track, codec) = sound(format)?;
    let registry = default::get_codecs();
    registry.get_audio_decoder(codec.codec).ok_or_else(unknown)?;
    let options = AudioDecoderOptions::default().gapless(gapless);
    let decoder = registry.make_audio_decoder(codec, &options);
    Ok((track.id, decoder.map_err(|refusal| refused(kind, at, refusal))?))
}

/// Whether an MP3 ends within the frame behind the last that is whole.
fn ends_torn(format: Box<dyn FormatReader>, last: Option<&Packet>) -> io::Result<bool> {
    /// More than any two frames.
    const TAIL: u64 = 1 << 13;

    let Some(last) = last.map(|packet| &packet.data[..]).filter(|data| !data.is_empty()) else {
        return Ok(false);
    };
    let mut file = format.into_inner();
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = vec![];
    file.take(TAIL).read_to_end(&mut tail)?;
    let begins = tail.windows(last.len()).rposition(|bytes| bytes == last);
    Ok(begins.is_some_and(|at| mpeg::is_torn(&tail[at + last.len()..])))
}

/// Runs the library on a file that may be broken in ways that it did not think of (a product of
/// channels and bits that overflows, say): a panic is an error of this file, and not the end of all.
fn contained<T>(
    kind: Kind,
    work: impl FnOnce() -> Result<T, RecordingError>,
) -> Result<T, RecordingError> {
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(broken(kind, None, "decoding it failed in a way that it should not"))
    })
}

fn broken(kind: Kind, at: Option<f64>, problem: impl Into<String>) -> RecordingError {
    RecordingError::Broken { container: kind.name(), problem: problem.into(), at }
}

fn unknown() -> RecordingError {
    RecordingError::Unsupported("of a codec that is not known (Opus and Speex are not)".into())
}

/// What the library says, for a person.
fn refused(kind: Kind, at: Option<f64>, refusal: Refusal) -> RecordingError {
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
    broken(kind, at, problem)
}

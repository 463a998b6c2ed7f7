//! What kind of file it is, by what it holds: a name may lie.

use std::io::{self, Read, SeekFrom};

use super::{mpeg, source::Source};

/// A kind of file that recordings come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Wav,
    Au,
    Flac,
    Mp3,
    Aac,
    Mp4,
    Ogg,
    Aiff,
}

/// A kind, and the offset at which the file of that kind begins: behind tags, and behind rubbish
/// where a stream of frames has no beginning of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) kind: Kind,
    pub(super) start: u64,
}

impl Kind {
    /// The endings of their files' names.
    pub(super) const EXTENSIONS: &[&str] = &[
        "wav", "wave", "flac", "mp3", "ogg", "oga", "aiff", "aif", "aifc", "au", "snd", "m4a",
        "m4b", "aac",
    ];

    /// As many bytes as tell them apart.
    const BYTES: usize = 12;

    /// How far into a file a stream of frames is looked for, in bytes.
    const REACH: usize = 1 << 16;

    /// Looks at the beginning of a source. Otherwise, what it is instead.
    pub(super) fn find(source: &mut dyn Source) -> io::Result<Result<Found, String>> {
        /// Files have one, or two by different programs.
        const MOST_TAGS: usize = 8;

        let mut start = 0;
        let mut head = read_at(source, start, Self::BYTES)?;
        for _ in 0..MOST_TAGS {
            let Some(length) = tag(&head) else { break };
            start += length;
            head = read_at(source, start, Self::BYTES)?;
        }
        if let Some(kind) = Self::of(&head) {
            return Ok(Ok(Found { kind, start }));
        }
        let bytes = read_at(source, start, Self::REACH)?;
        Ok(match mpeg::find(&bytes) {
            Some(at) => Ok(Found { kind: Self::Mp3, start: start + at as u64 }),
            // Such tags are MP3's, though others have them, too.
            None if start > 0 => Ok(Found { kind: Self::Mp3, start }),
            None if head.is_empty() => Err("it is empty".into()),
            None if head.len() < Self::BYTES => Err(format!("it ends after {} bytes", head.len())),
            None => Err(Self::foreign(&head)),
        })
    }

    /// Whether a file that starts with these bytes is certainly one of them. A text may begin with
    /// `ID3`, too: a tag's version comes behind that.
    pub(super) fn starts(start: &[u8]) -> bool {
        let tagged = matches!(start, [b'I', b'D', b'3', 0..10, ..]);
        tagged || Self::of(start).is_some()
    }

    fn of(start: &[u8]) -> Option<Self> {
        Some(match start {
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Self::Wav,
            [b'.', b's', b'n', b'd', ..] => Self::Au,
            [b'f', b'L', b'a', b'C', ..] => Self::Flac,
            [b'O', b'g', b'g', b'S', ..] => Self::Ogg,
            [b'F', b'O', b'R', b'M', _, _, _, _, b'A', b'I', b'F', b'F' | b'C', ..] => Self::Aiff,
            [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] if !is_picture(brand) => Self::Mp4,
            // A frame of layer III, or one of AAC's.
            [0xff, 0xe2 | 0xe3 | 0xf2 | 0xf3 | 0xfa | 0xfb, ..] => Self::Mp3,
            [0xff, 0xf0 | 0xf1 | 0xf8 | 0xf9, ..] => Self::Aac,
            _ => return None,
        })
    }

    /// What a file of another kind is that starts with these bytes.
    fn foreign(start: &[u8]) -> String {
        let other = match start {
            [b'R', b'F', b'6', b'4', ..] => "an RF64",
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => {
                return "it is a HEIF or AVIF picture".into();
            }
            [b'M', b'T', b'h', b'd', ..] => "a MIDI",
            [0x1a, 0x45, 0xdf, 0xa3, ..] => "a Matroska or WebM",
            [b'N', b'I', b'S', b'T', ..] => "a NIST SPHERE",
            [b'c', b'a', b'f', b'f', ..] => "a Core Audio",
            [b'#', b'!', b'A', b'M', b'R', ..] => "an AMR",
            _ => return "it starts as none of them".into(),
        };
        format!("it is {other} file; convert it, as with `ffmpeg -i FILE out.wav`")
    }

    /// In messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Wav => "WAV",
            Self::Au => "AU",
            Self::Flac => "FLAC",
            Self::Mp3 => "MP3",
            Self::Aac => "AAC",
            Self::Mp4 => "MPEG-4",
            Self::Ogg => "Ogg",
            Self::Aiff => "AIFF",
        }
    }
}

/// The brands of files of the same container that hold pictures.
fn is_picture(brand: &[u8]) -> bool {
    [b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1"].iter().any(|b| brand.starts_with(*b))
}

/// The length of the ID3 tag that begins with these bytes (ID3v2.4, §3.1): seven bits a byte.
fn tag(head: &[u8]) -> Option<u64> {
    let [b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] = *head else { return None };
    let length = [a, b, c, d].iter().fold(0, |length, &x| length << 7 | u64::from(x & 0x7f));
    let footer = if flags & 0x10 != 0 { 10 } else { 0 };
    Some(10 + length + footer)
}

/// Up to `most` bytes from an offset on.
fn read_at(source: &mut dyn Source, at: u64, most: usize) -> io::Result<Vec<u8>> {
    source.seek(SeekFrom::Start(at))?;
    let mut bytes = vec![];
    source.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

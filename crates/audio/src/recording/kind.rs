//! What kind of file it is, by its first bytes: a name may lie.

/// A kind of file that recordings come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Wav,
    Flac,
    Mp3,
    Ogg,
    Aiff,
}

impl Kind {
    /// The endings of their files' names.
    pub(super) const EXTENSIONS: &[&str] =
        &["wav", "wave", "flac", "mp3", "ogg", "oga", "aiff", "aif"];

    /// As many bytes as tell them apart.
    pub(super) const BYTES: usize = 12;

    /// The kind of a file that starts with these bytes, or consists of them if there are fewer.
    /// Otherwise, what it is instead.
    pub(super) fn of(start: &[u8]) -> Result<Self, String> {
        Ok(match start {
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Self::Wav,
            [b'f', b'L', b'a', b'C', ..] => Self::Flac,
            [b'O', b'g', b'g', b'S', ..] => Self::Ogg,
            [b'F', b'O', b'R', b'M', _, _, _, _, b'A', b'I', b'F', b'F' | b'C', ..] => Self::Aiff,
            // A tag, which FLAC may have too, or a frame of layer III.
            [b'I', b'D', b'3', ..] | [0xff, 0xe2 | 0xe3 | 0xf2 | 0xf3 | 0xfa | 0xfb, ..] => {
                Self::Mp3
            }
            [] => return Err("it is empty".into()),
            _ if start.len() < Self::BYTES => {
                return Err(format!("it ends after {} bytes", start.len()));
            }
            _ => return Err(Self::foreign(start)),
        })
    }

    /// What a file of another kind is that starts with these bytes.
    fn foreign(start: &[u8]) -> String {
        let other = match start {
            [b'R', b'F', b'6', b'4', ..] => "an RF64",
            // Its edit lists, which tell where sound begins and ends, are not read by `symphonia`.
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => "an MPEG-4",
            [b'M', b'T', b'h', b'd', ..] => "a MIDI",
            [0x1a, 0x45, 0xdf, 0xa3, ..] => "a Matroska or WebM",
            [b'N', b'I', b'S', b'T', ..] => "a NIST SPHERE",
            [b'.', b's', b'n', b'd', ..] => "a Sun",
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
            Self::Flac => "FLAC",
            Self::Mp3 => "MP3",
            Self::Ogg => "Ogg",
            Self::Aiff => "AIFF",
        }
    }
}

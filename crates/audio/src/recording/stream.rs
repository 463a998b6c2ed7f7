//! The part of a file that holds sound, as the library takes it.

use std::io::{self, Read, Seek, SeekFrom};

use symphonia::core::io::MediaSource;

use super::{
    kind::{Found, Kind},
    source::Source,
};

/// A source without what stands before and behind the sound, and with a header that the library
/// takes.
pub(super) struct Stream {
    source: Box<dyn Source>,
    start: u64,
    length: u64,
    /// The offset of the next byte, from the start.
    at: u64,
    /// Bytes that are read instead of those at an offset from the start.
    patch: Option<(u64, [u8; 2])>,
}

impl Stream {
    /// The sound of a file of `length` bytes.
    pub(super) fn new(
        mut source: Box<dyn Source>,
        length: u64,
        Found { kind, start }: Found,
    ) -> io::Result<Self> {
        let end = match kind {
            Kind::Mp3 | Kind::Aac | Kind::Flac => before_tags(&mut source, start, length)?,
            _ => length,
        };
        let length = end.saturating_sub(start);
        let mut stream = Self { source, start, length, at: 0, patch: None };
        stream.rewind()?;
        if kind == Kind::Flac {
            stream.patch = least_block(&mut stream)?.map(|bytes| (LEAST_BLOCK, bytes));
        }
        stream.rewind()?;
        Ok(stream)
    }

    /// Its length, in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = buffer.len().min(left);
        let read = self.source.read(&mut buffer[..most])?;
        if let Some((at, bytes)) = self.patch {
            for (at, byte) in (at..).zip(bytes) {
                let within = at.checked_sub(self.at).and_then(|at| usize::try_from(at).ok());
                if let Some(place) = within.and_then(|at| buffer[..read].get_mut(at)) {
                    *place = byte;
                }
            }
        }
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for Stream {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        let outside = || io::Error::from(io::ErrorKind::InvalidInput);
        let at = at.ok_or_else(outside)?;
        self.source.seek(SeekFrom::Start(self.start.checked_add(at).ok_or_else(outside)?))?;
        self.at = at;
        Ok(at)
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

/// Where the tags begin that stand at the end of a file: ID3v1, of 128 bytes, and APE's, whose footer
/// tells its length. The library would take them for a last frame.
fn before_tags(source: &mut Box<dyn Source>, start: u64, length: u64) -> io::Result<u64> {
    const ID3: u64 = 128;
    const APE: u64 = 32;
    const HAS_HEADER: u32 = 1 << 31;

    let mut end = length;
    let mut tail = |end: u64, size: u64| -> io::Result<Option<Vec<u8>>> {
        let Some(at) = end.checked_sub(size).filter(|&at| at >= start) else { return Ok(None) };
        let mut bytes = vec![0; size as usize];
        source.seek(SeekFrom::Start(at))?;
        source.read_exact(&mut bytes)?;
        Ok(Some(bytes))
    };
    if tail(end, ID3)?.is_some_and(|bytes| bytes.starts_with(b"TAG")) {
        end -= ID3;
    }
    if let Some(footer) = tail(end, APE)?
        && footer.starts_with(b"APETAGEX")
    {
        let number = |at: usize| {
            u32::from_le_bytes([footer[at], footer[at + 1], footer[at + 2], footer[at + 3]])
        };
        let header = if number(20) & HAS_HEADER != 0 { APE } else { 0 };
        let whole = u64::from(number(12)) + header;
        end = end.checked_sub(whole.max(APE)).filter(|&at| at >= start).unwrap_or(end - APE);
    }
    Ok(end)
}

/// Where FLAC's header has the length of the smallest block: behind the marker and a block's header.
const LEAST_BLOCK: u64 = 8;

/// What FLAC's header has to say of the smallest block, if it says otherwise (RFC 9639, §8.2): the
/// library takes all blocks to be of one length if this is that of the largest, and for broken a
/// length below 16, such as the 0 of encoders that did not know it. The first frame tells.
fn least_block(stream: &mut Stream) -> io::Result<Option<[u8; 2]>> {
    const LEAST: u16 = 16;

    let mut header = [0; 12];
    if stream.read_exact(&mut header).is_err() {
        return Ok(None);
    }
    let [.., a, b, c, d] = header;
    let (least, most) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
    // Through the blocks of metadata, each with a mark on the last, and its length.
    let mut at = 4;
    loop {
        let mut block = [0; 4];
        stream.seek(SeekFrom::Start(at))?;
        if stream.read_exact(&mut block).is_err() {
            return Ok(None);
        }
        let [mark, a, b, c] = block;
        at += 4 + u64::from(u32::from_be_bytes([0, a, b, c]));
        if mark & 0x80 != 0 {
            break;
        }
    }
    let mut frame = [0; 2];
    stream.seek(SeekFrom::Start(at))?;
    if stream.read_exact(&mut frame).is_err() {
        return Ok(None);
    }
    Ok(match frame {
        [0xff, 0xf8] if least != most => Some(most.to_be_bytes()),
        [0xff, 0xf9] if least < LEAST || least == most => Some(LEAST.to_be_bytes()),
        _ => None,
    })
}

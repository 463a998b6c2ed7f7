//! A range of bytes in a file, stored or deflated.

use std::borrow::Cow;
use std::io;
use std::io::Read;
use std::ops::Range;

use flate2::CrcReader;
use flate2::read::DeflateDecoder;

/// Deflate compresses by at most this factor.
pub(crate) const MOST_DEFLATED: usize = 1032;

/// Where a record lies in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ByteRange {
    /// Its bytes in the file, checked to be there.
    pub(crate) range: Range<usize>,
    /// How they are compressed.
    pub(crate) packing: Packing,
}

/// How a record's bytes are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// As they are.
    Plain,
    /// Deflated.
    Deflated {
        /// The number of bytes when unpacked, at most [`MOST_DEFLATED`] times those in the file.
        len: usize,
        /// Their CRC-32.
        crc: u32,
    },
}

impl ByteRange {
    /// The number of bytes when unpacked.
    pub(crate) fn len(&self) -> usize {
        match self.packing {
            Packing::Plain => self.range.len(),
            Packing::Deflated { len, .. } => len,
        }
    }

    /// The first bytes when unpacked, `most` of them or as many as there are.
    pub(crate) fn head<'d>(&self, data: &'d [u8], most: usize) -> Result<Cow<'d, [u8]>, String> {
        let packed = &data[self.range.clone()];
        match self.packing {
            Packing::Plain => Ok(packed[..packed.len().min(most)].into()),
            Packing::Deflated { len, .. } => {
                let most = len.min(most);
                let mut out = Vec::with_capacity(most);
                let mut reader = DeflateDecoder::new(packed).take(most as u64);
                reader
                    .read_to_end(&mut out)
                    .map_err(|e| format!("a deflated record is broken ({e})"))?;
                Ok(out.into())
            }
        }
    }
}

/// Fills `out` with bytes of a deflated record, from `start` on. Unpacked, it has `len` bytes and
/// the checksum `crc`.
pub(crate) fn inflate(
    packed: &[u8],
    (len, crc): (usize, u32),
    start: usize,
    out: &mut [u8],
) -> Result<(), String> {
    let end = start.checked_add(out.len()).filter(|&end| end <= len);
    let end = end.ok_or("a record is shorter than it says")?;
    let bad = |e: io::Error| format!("a deflated record is broken ({e})");
    let mut reader = CrcReader::new(DeflateDecoder::new(packed));
    io::copy(&mut (&mut reader).take(start as u64), &mut io::sink()).map_err(bad)?;
    reader.read_exact(out).map_err(bad)?;
    // The rest is read only for the checksum, and only if its length is as announced.
    let rest = (len - end) as u64;
    let read = io::copy(&mut (&mut reader).take(rest + 1), &mut io::sink());
    if read.map_err(bad)? != rest || reader.crc().sum() != crc {
        return Err("a deflated record is not what was packed; fetch it again".into());
    }
    Ok(())
}

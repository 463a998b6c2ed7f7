//! How large the pages of a Parquet file become when they are unpacked: their headers say so, in
//! Thrift's compact protocol, and nothing else does before memory is taken for them.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// How many bytes the pages of a column chunk take when they are unpacked, by their headers. The
/// chunk is so many bytes from `start` on.
///
/// # Errors
/// If a header cannot be read.
pub(super) fn unpacked(mut file: &File, start: u64, len: u64) -> io::Result<u64> {
    file.seek(SeekFrom::Start(start))?;
    let mut thrift = Thrift { reader: BufReader::with_capacity(1 << 12, file), read: 0 };
    let mut sum = 0u64;
    while thrift.read < len {
        let Header { unpacked, packed } = thrift.header()?;
        sum = sum.saturating_add(unpacked);
        thrift.reader.seek_relative(packed.into())?;
        thrift.read += u64::from(packed);
    }
    Ok(sum)
}

/// What a page's header says of sizes, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Header {
    unpacked: u64,
    packed: u32,
}

/// A reader of Thrift's compact protocol.
struct Thrift<R> {
    reader: R,
    /// How many bytes were read.
    read: u64,
}

/// Structures lie no deeper in one another.
const DEEPEST: usize = 8;

impl<R: Read> Thrift<R> {
    fn header(&mut self) -> io::Result<Header> {
        let (mut header, mut field) = (Header::default(), 0);
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (2, 3..=6) => {
                    let size = u64::try_from(self.integer()?).map_err(|_| broken())?;
                    header.unpacked = header.unpacked.max(size);
                }
                (3, 3..=6) => {
                    header.packed = u32::try_from(self.integer()?).map_err(|_| broken())?;
                }
                _ => self.skip(kind, DEEPEST)?,
            }
        }
        Ok(header)
    }

    /// The type of a structure's next field, whose number `field` becomes; `None` at its end.
    fn field(&mut self, field: &mut i64) -> io::Result<Option<u8>> {
        let byte = self.byte()?;
        let (step, kind) = (byte >> 4, byte & 15);
        if kind == 0 {
            return Ok(None);
        }
        *field = match step {
            0 => self.integer()?,
            step => *field + i64::from(step),
        };
        Ok(Some(kind))
    }

    fn skip(&mut self, kind: u8, deeper: usize) -> io::Result<()> {
        let deeper = deeper.checked_sub(1).ok_or_else(broken)?;
        match kind {
            // Truth values are in their types.
            1 | 2 => Ok(()),
            3 => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            7 => (0..8).try_for_each(|_| self.byte().map(drop)),
            8 => {
                let length = self.varint()?;
                let skipped = io::copy(&mut self.reader.by_ref().take(length), &mut io::sink())?;
                self.read += skipped;
                if skipped == length { Ok(()) } else { Err(broken()) }
            }
            9 | 10 => {
                let byte = self.byte()?;
                let (short, kind) = (u64::from(byte >> 4), byte & 15);
                let length = if short == 15 { self.varint()? } else { short };
                (0..length).try_for_each(|_| match kind {
                    // In a list they are a byte each.
                    1 | 2 => self.byte().map(drop),
                    _ => self.skip(kind, deeper),
                })
            }
            12 => {
                let mut field = 0;
                while let Some(kind) = self.field(&mut field)? {
                    self.skip(kind, deeper)?;
                }
                Ok(())
            }
            _ => Err(broken()),
        }
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.reader.read_exact(&mut byte)?;
        self.read += 1;
        Ok(byte[0])
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(value);
            }
        }
        Err(broken())
    }

    /// A number in zigzag: 0, -1, 1, -2, …
    fn integer(&mut self) -> io::Result<i64> {
        let value = self.varint()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a page's header is broken")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(bytes: &[u8]) -> io::Result<Header> {
        Thrift { reader: bytes, read: 0 }.header()
    }

    #[test]
    fn sizes_are_found_among_all_kinds_of_fields() {
        // A type, sizes of 300 and 5, a checksum; a structure with a text, a list and a truth value.
        let fields = [0x15, 0, 0x15, 0xD8, 4, 0x15, 10, 0x15, 1];
        let inner = [0x1C, 0x18, 2, b'a', b'b', 0x19, 0x25, 2, 4, 0x11, 0];
        let whole = [&fields[..], &inner, &[0]].concat();
        assert_eq!(header(&whole).unwrap(), Header { unpacked: 300, packed: 5 });
        for end in 0..whole.len() {
            assert!(header(&whole[..end]).is_err(), "cut at {end}");
        }
        // The greatest size counts, whatever order they come in.
        let twice = [0x25, 0xD8, 4, 0x05, 4, 2, 0x15, 10, 0];
        assert_eq!(header(&twice).unwrap(), Header { unpacked: 300, packed: 5 });
        assert!(header(&[0x25, 1, 0]).is_err(), "less than nothing");
        assert!(header(&[0x4C; 40]).is_err(), "too deep");
    }
}

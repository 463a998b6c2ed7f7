//! Zip archives, as far as checkpoints use them: records that are stored or deflated, zip64 too.
//!
//! The archive is read by its central directory, and any contradiction is an error: the libraries
//! at hand allow duplicate names and overlapping records, and pick one silently.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::block::{ByteRange, MOST_DEFLATED, Packing};
use super::limits::quote;

const END: &[u8] = b"PK\x05\x06";

const END_64: &[u8] = b"PK\x06\x06";

const LOCATOR_64: &[u8] = b"PK\x06\x07";

const CENTRAL: &[u8] = b"PK\x01\x02";

const LOCAL: &[u8] = b"PK\x03\x04";

/// The length of the end record without its comment.
const END_LEN: usize = 22;

/// The length of a central header without its three variable fields.
const CENTRAL_LEN: usize = 46;

/// The most records in an archive, each storage of a checkpoint being one.
const MOST_RECORDS: usize = 1 << 19;

/// The longest name of a record, the longest path of a file.
const LONGEST_NAME: usize = 4096;

/// An archive and its records by name.
#[derive(Debug)]
pub(crate) struct Archive<'a> {
    data: &'a [u8],
    records: BTreeMap<&'a str, ByteRange>,
}

impl<'a> Archive<'a> {
    /// Reads the directory.
    ///
    /// # Errors
    /// If the archive is cut off, contradicts itself, or has a record that is encrypted, packed in
    /// another way, or named like a path out of the archive.
    pub(crate) fn read(data: &'a [u8]) -> Result<Self, String> {
        let whole =
            |problem: String| format!("not a whole zip archive ({problem}); fetch it again");
        let (directory, count) = directory(data).map_err(whole)?;
        let limit = directory.end;
        let mut headers = Fields(data.get(directory.clone()).unwrap_or_default());
        let mut records = BTreeMap::new();
        let mut ranges = Vec::new();
        for _ in 0..count {
            let header = headers.central().ok_or_else(|| whole("a broken directory".into()))?;
            let name = header.name.map_err(|_| "a record's name is not UTF-8")?;
            if name.ends_with('/') {
                continue;
            }
            let bad = |problem: &str| format!("the record {} {problem}", quote(name));
            if !is_inside(name) {
                return Err(bad("is not named like a file in the archive"));
            }
            let block = header.block(data, directory.start).map_err(|problem| bad(&problem))?;
            ranges.push(block.range.clone());
            if records.insert(name, block).is_some() {
                return Err(bad("is there twice"));
            }
        }
        if !headers.0.is_empty() {
            return Err(whole(format!("more in its directory than {count} records")));
        }
        ranges.retain(|range| !range.is_empty());
        ranges.sort_unstable_by_key(|range| range.start);
        if ranges.windows(2).any(|pair| pair[0].end > pair[1].start) {
            return Err(format!("records overlap in the {limit} bytes of the archive"));
        }
        Ok(Self { data, records })
    }

    /// The records in alphabetical order.
    pub(crate) fn records(&self) -> impl Iterator<Item = (&'a str, &ByteRange)> {
        self.records.iter().map(|(name, block)| (*name, block))
    }

    /// One record.
    pub(crate) fn get(&self, name: &str) -> Option<&ByteRange> {
        self.records.get(name)
    }

    /// The first bytes of a block when unpacked, `most` of them or as many as there are.
    pub(crate) fn head(&self, block: &ByteRange, most: usize) -> Result<Cow<'a, [u8]>, String> {
        block.head(self.data, most)
    }
}

/// Whether a name is sane, and stays inside the archive on every system.
fn is_inside(name: &str) -> bool {
    let parts = || name.split(['/', '\\']);
    (1..=LONGEST_NAME).contains(&name.len())
        && !name.contains(['\0', ':'])
        && parts().all(|part| part != "..")
        && parts().next() != Some("")
}

/// Where the directory lies, and how many records it has.
fn directory(data: &[u8]) -> Result<(std::ops::Range<usize>, usize), String> {
    let latest = data.len().checked_sub(END_LEN).ok_or("no end record")?;
    let earliest = latest.saturating_sub(usize::from(u16::MAX));
    let is_end = |&at: &usize| {
        data[at..].starts_with(END)
            // The comment runs to the end of the file.
            && at + END_LEN + usize::from(u16::from_le_bytes([data[at + 20], data[at + 21]])) == data.len()
    };
    let end = (earliest..=latest).rev().find(is_end).ok_or("no end record")?;
    let mut fields = Fields(&data[end + 4..end + END_LEN]);
    let short = "a short end record";
    let disks = (fields.u16().ok_or(short)?, fields.u16().ok_or(short)?);
    let counts = (fields.u16().ok_or(short)?, fields.u16().ok_or(short)?);
    let (size, offset) = (fields.u32().ok_or(short)?, fields.u32().ok_or(short)?);
    let (mut count, mut size, mut offset) = (counts.1.into(), size.into(), offset.into());
    let mut limit = end;
    let locator = end.checked_sub(20).map(|at| &data[at..end]);
    if let Some(mut fields) = locator.and_then(|l| l.strip_prefix(LOCATOR_64)).map(Fields) {
        (count, size, offset, limit) =
            fields.end_64(data, end - 20).ok_or("a broken zip64 end record")?;
    } else if disks != (0, 0) || counts.0 != counts.1 {
        return Err("one part of several".into());
    }
    let start = usize::try_from(offset).map_err(|_| "no directory")?;
    let stop = usize::try_from(size).ok().and_then(|size| start.checked_add(size));
    let stop = stop.filter(|&stop| stop <= limit).ok_or("no directory where it should be")?;
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    if count > MOST_RECORDS || count > (stop - start) / CENTRAL_LEN {
        return Err(format!("{count} records in a directory of {} bytes", stop - start));
    }
    Ok((start..stop, count))
}

/// A header of the directory.
struct Header<'a> {
    name: Result<&'a str, std::str::Utf8Error>,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    unpacked: u64,
    offset: u64,
}

impl Header<'_> {
    /// Where the record's bytes are, which lie before the directory.
    fn block(&self, data: &[u8], directory: usize) -> Result<ByteRange, String> {
        if self.flags & 1 != 0 {
            return Err("is encrypted".into());
        }
        let start = usize::try_from(self.offset).ok().and_then(|offset| {
            let mut local = Fields(data.get(offset..directory)?.strip_prefix(LOCAL)?);
            local.take(22)?;
            let (name, extra) = (local.u16()?, local.u16()?);
            let name = local.take(name.into())?;
            // Readers of the local headers must see the same record.
            (self.name.ok()?.as_bytes() == name).then_some(())?;
            Some(offset + 30 + name.len() + usize::from(extra))
        });
        let start = start.ok_or("is not where the directory says")?;
        let packed = usize::try_from(self.packed).ok();
        let end = packed.and_then(|packed| start.checked_add(packed));
        let end = end.filter(|&end| end <= directory).ok_or("is cut off")?;
        let range = start..end;
        let len = usize::try_from(self.unpacked).map_err(|_| "is too large")?;
        match self.method {
            0 if len == range.len() => Ok(ByteRange { range, packing: Packing::Plain }),
            8 if len / MOST_DEFLATED <= range.len() => {
                Ok(ByteRange { range, packing: Packing::Deflated { len, crc: self.crc } })
            }
            0 | 8 => Err(format!("says that its {} bytes are {len}", range.len())),
            other => Err(format!("is packed by method {other}; pack it again, stored or deflated")),
        }
    }
}

/// Little-endian numbers, from the front on.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn central(&mut self) -> Option<Header<'a>> {
        self.0 = self.0.strip_prefix(CENTRAL)?;
        self.take(4)?;
        let (flags, method) = (self.u16()?, self.u16()?);
        self.take(4)?;
        let (crc, packed, unpacked) = (self.u32()?, self.u32()?, self.u32()?);
        let lengths = [self.u16()?, self.u16()?, self.u16()?].map(usize::from);
        self.take(8)?;
        let offset = self.u32()?;
        let name = str::from_utf8(self.take(lengths[0])?);
        let extra = Fields(self.take(lengths[1])?);
        self.take(lengths[2])?;
        let mut header = Header {
            name,
            flags,
            method,
            crc,
            packed: packed.into(),
            unpacked: unpacked.into(),
            offset: offset.into(),
        };
        extra.widen([&mut header.unpacked, &mut header.packed, &mut header.offset])?;
        Some(header)
    }

    /// Replaces the numbers that were too large for their fields by those of the zip64 field.
    fn widen(mut self, numbers: [&mut u64; 3]) -> Option<()> {
        let mut numbers = numbers.into_iter().filter(|n| **n == u64::from(u32::MAX)).peekable();
        while numbers.peek().is_some() && !self.0.is_empty() {
            let (id, len) = (self.u16()?, self.u16()?);
            let mut field = Fields(self.take(len.into())?);
            if id == 1 {
                for number in numbers.by_ref() {
                    *number = field.u64()?;
                }
            }
        }
        Some(())
    }

    /// From a zip64 locator that lies at `at`: count, size and offset of the directory, and the
    /// end of what comes before the end records.
    fn end_64(&mut self, data: &[u8], at: usize) -> Option<(u64, u64, u64, usize)> {
        let (disk, offset) = (self.u32()?, usize::try_from(self.u64()?).ok()?);
        let mut end = Fields(data.get(offset..at)?.strip_prefix(END_64)?);
        end.take(12)?;
        let disks = (end.u32()?, end.u32()?);
        let (here, count) = (end.u64()?, end.u64()?);
        let whole = disk == 0 && disks == (0, 0) && here == count;
        whole.then_some((count, end.u64()?, end.u64()?, offset))
    }
}

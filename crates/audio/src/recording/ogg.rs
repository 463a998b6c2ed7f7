//! Ogg's pages (RFC 3533, §6), as far as they tell whether a file is whole and one recording.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::stream::Stream;

/// What the pages tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pages {
    /// Whether the last one is marked as the last, and there: the only sign that a file is whole.
    pub(super) whole: bool,
    /// Whether one recording follows another, as when files are joined.
    pub(super) chained: bool,
}

/// What a page begins with, before the lengths of its segments.
const HEADER: usize = 27;
const FIRST: u8 = 2;
const LAST: u8 = 4;

impl Pages {
    /// Goes through the pages' headers.
    pub(super) fn of(stream: &mut Stream) -> io::Result<Self> {
        let whole = is_whole(stream)?;
        stream.rewind()?;
        let length = stream.length();
        let mut file = BufReader::new(&mut *stream);
        let (mut at, mut started, mut chained) = (0, false, false);
        while !chained && at + (HEADER as u64) < length {
            let mut header = [0; HEADER];
            let mut segments = [0; 255];
            file.read_exact(&mut header)?;
            let segments = &mut segments[..usize::from(header[HEADER - 1])];
            // What is no page is passed over when it is decoded.
            if !header.starts_with(b"OggS") || file.read_exact(segments).is_err() {
                break;
            }
            // The first pages of streams side by side stand together.
            let is_first = header[5] & FIRST != 0;
            chained = started && is_first;
            started |= !is_first;
            let body: i64 = segments.iter().map(|&n| i64::from(n)).sum();
            file.seek_relative(body)?;
            at += (HEADER + segments.len()) as u64 + body as u64;
        }
        stream.rewind()?;
        Ok(Self { whole, chained })
    }
}

/// Whether the last page is one, and not cut.
fn is_whole(stream: &mut Stream) -> io::Result<bool> {
    /// The longest page: a header, 255 segments, and their lengths.
    const LONGEST_PAGE: u64 = HEADER as u64 + 255 + 255 * 255;

    let length = stream.length();
    stream.seek(SeekFrom::Start(length.saturating_sub(LONGEST_PAGE)))?;
    let mut end = Vec::with_capacity(length.min(LONGEST_PAGE) as usize);
    stream.take(LONGEST_PAGE).read_to_end(&mut end)?;
    let page = end.windows(4).rposition(|magic| magic == b"OggS").map_or(&[][..], |at| &end[at..]);
    Ok(page.get(HEADER..).is_some_and(|rest| {
        let segments = usize::from(page[HEADER - 1]);
        let lengths = rest.get(..segments);
        let size = lengths.map(|lengths| lengths.iter().map(|&n| usize::from(n)).sum::<usize>());
        size.is_some_and(|size| rest.len() >= segments + size) && page[5] & LAST != 0
    }))
}

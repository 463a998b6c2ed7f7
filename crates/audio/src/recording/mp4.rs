//! MPEG-4's edit list (ISO/IEC 14496-12, §8.6.6): where in a track the recording begins and ends. An
//! encoder of AAC puts a thousand samples and more before it, which are not the recording's.

use std::io::{self, Read, Seek, SeekFrom};

use super::stream::Stream;

/// The part of a track that is played, in ticks of its clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edit {
    start: u64,
    /// `None`: to the end.
    length: Option<u64>,
    /// Ticks a second.
    timescale: u64,
}

impl Edit {
    /// The samples before the part, and those in it (`None`: all that follow), at a rate in Hz.
    pub(super) fn samples(&self, rate: u32) -> (u64, Option<u64>) {
        let samples = |ticks: u64| {
            let samples = u128::from(ticks) * u128::from(rate) / u128::from(self.timescale);
            u64::try_from(samples).unwrap_or(u64::MAX)
        };
        (samples(self.start), self.length.map(samples))
    }
}

/// The most of a file's index that is looked at, in bytes.
const MOST: u64 = 64 << 20;

/// The most boxes that are passed on the way to it.
const MOST_BOXES: usize = 1000;

/// What a file's index says, as far as the library does not heed it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// Whether samples come in fragments, each with an index of its own, so that this one does not
    /// know how many there are.
    pub(super) fragmented: bool,
    /// The edit of the first track of sound, if there is one, and one alone.
    pub(super) edit: Option<Edit>,
}

/// Reads the index. The stream is at its start again.
pub(super) fn index(stream: &mut Stream) -> io::Result<Index> {
    let (mut at, mut found) = (0, Index::default());
    for _ in 0..MOST_BOXES {
        let Some((kind, body, end)) = header(stream, at)? else { break };
        if &kind == b"moov" {
            let mut movie = vec![];
            stream.seek(SeekFrom::Start(body))?;
            stream.take((end - body).min(MOST)).read_to_end(&mut movie)?;
            let fragmented = boxes(&movie, b"mvex").next().is_some();
            found = Index { fragmented, edit: edit_of(&movie) };
            break;
        }
        at = end;
    }
    stream.rewind()?;
    Ok(found)
}

/// The kind of the box at an offset of the file, and where its contents begin and end.
fn header(stream: &mut Stream, at: u64) -> io::Result<Option<([u8; 4], u64, u64)>> {
    let mut head = vec![];
    if at >= stream.length() {
        return Ok(None);
    }
    stream.seek(SeekFrom::Start(at))?;
    stream.take(16).read_to_end(&mut head)?;
    Ok(split(&head).and_then(|(kind, begins, length)| {
        let length = length.unwrap_or(stream.length() - at);
        Some((kind, at + begins, at.checked_add(length)?))
    }))
}

/// The kind of a box, how long its header is, and how long it is itself; `None`: to the end.
fn split(head: &[u8]) -> Option<([u8; 4], u64, Option<u64>)> {
    let kind = *head.get(4..8)?.first_chunk()?;
    let (begins, length) = match u64::from(number(head)?) {
        0 => (8, None),
        1 => (16, Some(u64::from_be_bytes(*head.get(8..16)?.first_chunk()?))),
        length => (8, Some(length)),
    };
    length.is_none_or(|length| length >= begins).then_some((kind, begins, length))
}

/// The boxes within one, by kind.
fn boxes<'a>(mut rest: &'a [u8], wanted: &'a [u8; 4]) -> impl Iterator<Item = &'a [u8]> {
    std::iter::from_fn(move || {
        loop {
            let (kind, begins, length) = split(rest)?;
            let length = length.map_or(Some(rest.len()), |length| usize::try_from(length).ok())?;
            let body = rest.get(begins as usize..length)?;
            rest = &rest[length..];
            if &kind == wanted {
                return Some(body);
            }
        }
    })
}

/// The contents of the box that is reached by these names.
fn inside<'a>(all: &'a [u8], path: &[&'a [u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(all, |within, name| boxes(within, name).next())
}

fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.first_chunk()?))
}

/// Ticks a second, in a header of a movie or of a track's media, whose first version has short times.
fn timescale(header: &[u8]) -> Option<u64> {
    let at = if *header.first()? == 0 { 12 } else { 20 };
    number(header.get(at..)?).map(u64::from).filter(|&scale| scale > 0)
}

fn edit_of(movie: &[u8]) -> Option<Edit> {
    let is_sound = |track: &&[u8]| {
        inside(track, &[b"mdia", b"hdlr"]).and_then(|h| h.get(8..12)) == Some(&b"soun"[..])
    };
    let track = boxes(movie, b"trak").find(is_sound)?;
    let movies = timescale(inside(movie, &[b"mvhd"])?)?;
    let tracks = timescale(inside(track, &[b"mdia", b"mdhd"])?)?;
    let list = inside(track, &[b"edts", b"elst"])?;
    let is_long = *list.first()? != 0;
    let (size, entries) = (if is_long { 20 } else { 12 }, list.get(8..)?);
    let entry = |entry: &[u8]| -> Option<(u64, i64)> {
        Some(match is_long {
            true => (
                u64::from_be_bytes(*entry.first_chunk()?),
                i64::from_be_bytes(*entry.get(8..)?.first_chunk()?),
            ),
            false => (number(entry)?.into(), i64::from(number(entry.get(4..)?)? as i32)),
        })
    };
    // A start of -1 is a pause before the track.
    let mut edits = entries.chunks_exact(size).filter_map(entry).filter(|(_, start)| *start >= 0);
    let (length, start) = edits.next()?;
    if edits.next().is_some() {
        return None;
    }
    // The movie's ticks are coarse: rounded up, so that no sample is lost.
    let ticks = (u128::from(length) * u128::from(tracks)).div_ceil(movies.into());
    let length = u64::try_from(ticks).ok().filter(|&length| length > 0);
    Some(Edit { start: start as u64, length, timescale: tracks })
}

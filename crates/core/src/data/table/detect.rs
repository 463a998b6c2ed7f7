//! The dialect of a table, told by what it holds.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};

use super::delimited::Records;
use super::dialect::{Dialect, Quotes};
use super::format::TableFormat;
use super::lines::Lines;
use super::row::{Fault, Row, Wanted};

/// So many rows tell the delimiter.
const HEAD: usize = 20;

/// The dialect of a table, and its first rows. The file is read from its beginning, and left
/// anywhere.
///
/// # Errors
/// If the file cannot be read, or its first row cannot.
pub(super) fn dialect(
    file: &File,
    format: TableFormat,
    longest: usize,
) -> Result<(Dialect, Vec<Row>), Fault> {
    let mut lines = Lines::new(rewound(file)?, longest);
    if let Some(fault) = lines.next()?.and_then(|first| first.fault) {
        // It may be the header, and not the only line that is no text.
        return Err(fault);
    }
    let candidates = match format {
        TableFormat::Tsv => ['\t', ',', ';'],
        _ => [',', ';', '\t'],
    };
    let heads = candidates.map(|delimiter| {
        let dialect = Dialect { delimiter, quotes: Quotes::Around };
        head(file, dialect, longest).unwrap_or_default()
    });
    // Its own delimiter if that fits, else one that does; else what makes sense of most rows, so that
    // a message about one of the others does, too.
    let fits = |test: fn(&[Row]) -> bool| (0..heads.len()).find(|&at| test(&heads[at]));
    let own = (width(&heads[0]) > 1).then_some(0);
    let chosen = fits(|head| width(head) > 1 && alike(head) == head.len())
        .or(own)
        .or_else(|| fits(|head| width(head) > 1 && alike(head) * 5 >= head.len() * 4));
    let chosen = chosen.unwrap_or(0);
    let delimiter = candidates[chosen];
    let quotes = match delimiter {
        '\t' => quotes(file, delimiter)?,
        _ => Quotes::Around,
    };
    let dialect = Dialect { delimiter, quotes };
    Ok((dialect, head(file, dialect, longest)?))
}

/// How many cells the first row has.
fn width(head: &[Row]) -> usize {
    head.first().map_or(0, |row| row.cells.len())
}

/// How many rows have as many cells as the first one.
fn alike(head: &[Row]) -> usize {
    let width = width(head);
    head.iter().filter(|row| row.cells.len() == width).count()
}

/// From the beginning of a file.
pub(super) fn rewound(mut file: &File) -> Result<BufReader<&File>, Fault> {
    let failed = |e| Fault::new(None, format!("cannot be read ({e})"));
    file.rewind().map_err(failed)?;
    Ok(BufReader::new(file))
}

/// The first rows; those before one that ends the reading.
///
/// # Errors
/// If that is the very first one.
fn head(file: &File, dialect: Dialect, longest: usize) -> Result<Vec<Row>, Fault> {
    let mut lines = Lines::new(rewound(file)?, longest);
    let (mut records, mut rows) = (Records::new(&mut lines, dialect), vec![]);
    while rows.len() < HEAD {
        match records.next(Wanted::All) {
            Ok(Some(Ok(row))) => rows.extend(row),
            Ok(None) => break,
            Err(fault) if rows.is_empty() => return Err(fault),
            Ok(Some(Err(_))) => {}
            // It is said when all rows are read.
            Err(_) => break,
        }
    }
    Ok(rows)
}

/// Whether quotes stand around the cells of a table that could do without: not if one that begins a
/// cell is not closed at a cell's end. Where all are, but cells with delimiters or several lines
/// come out, a doubled quote shows that somebody quoted; without one, lines that are all of the
/// same width are rows as they stand.
fn quotes(file: &File, delimiter: char) -> Result<Quotes, Fault> {
    let failed = |e| Fault::new(None, format!("cannot be read ({e})"));
    let mut reader = rewound(file)?;
    let mut scan = Scan { delimiter: delimiter as u8, ..Scan::default() };
    let mut line = vec![];
    while next_line(&mut reader, &mut line).map_err(failed)? {
        let text = line.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(&line);
        if !scan.closes(text) {
            return Ok(Quotes::Within);
        }
    }
    Ok(match scan {
        Scan { open: true, .. } => Quotes::Within,
        Scan { any: false, .. } => Quotes::Absent,
        Scan { joins: true, doubled: false, .. } => {
            let (mut reader, mut widths) = (rewound(file)?, None);
            while next_line(&mut reader, &mut line).map_err(failed)? {
                let width = line.iter().filter(|&&byte| byte == scan.delimiter).count();
                if !line.trim_ascii().is_empty() && *widths.get_or_insert(width) != width {
                    return Ok(Quotes::Around);
                }
            }
            Quotes::Within
        }
        Scan { .. } => Quotes::Around,
    })
}

/// The most bytes that are looked at together.
const PIECE: u64 = 1 << 24;

fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    Ok(reader.by_ref().take(PIECE).read_until(b'\n', line)? > 0)
}

/// What is known of a table's quotes so far.
#[derive(Default)]
struct Scan {
    delimiter: u8,
    /// Whether a quote begins a cell.
    any: bool,
    /// Whether the last cell goes on in the next line.
    open: bool,
    /// Whether a cell holds a delimiter or a line's end.
    joins: bool,
    /// Whether a quoted cell holds a doubled quote.
    doubled: bool,
}

impl Scan {
    /// Whether all quoted cells that end in this line end with a quote.
    fn closes(&mut self, line: &[u8]) -> bool {
        let mut at = 0;
        // Within quotes, where the text begins.
        let mut from = 0;
        while let Some(quote) = line[at..].iter().position(|&byte| byte == b'"') {
            at += quote + 1;
            let next = line.get(at).copied();
            if !self.open {
                let before = at.checked_sub(2).map(|before| line[before]);
                self.open = before.is_none_or(|before| before == self.delimiter || before == b'\r');
                self.any |= self.open;
                from = at;
            } else if next == Some(b'"') {
                self.doubled = true;
                at += 1;
            } else {
                self.open = false;
                self.joins |= line[from..at - 1].contains(&self.delimiter);
                if next.is_some_and(|next| next != self.delimiter && !matches!(next, b'\r' | b'\n'))
                {
                    return false;
                }
            }
        }
        if self.open {
            self.joins = true;
        }
        true
    }
}

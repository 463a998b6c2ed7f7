//! CSV (RFC 4180), and TSV, which is the same with tabs. `csv-core` takes the quotes off; what it
//! would let pass is refused.

use std::io::BufRead;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder, Terminator};

use super::lines::Lines;
use super::row::{Cell, Fault, Kind, Row};

/// All rows that are not empty.
pub(super) fn read<R: BufRead>(lines: &mut Lines<R>, kind: Kind) -> Result<Vec<Row>, Fault> {
    let (mut record, mut rows) = (Record::new(kind), vec![]);
    while record.next_line(lines)? {
        record.before = 0;
        let (line, cells) = (lines.number, record.cells(lines)?);
        let empty = |cell: &Cell| matches!(cell, Cell::Text(text) if text.trim().is_empty());
        if !cells.iter().all(empty) {
            rows.push(Row { line, cells });
        }
    }
    Ok(rows)
}

/// A record: one line, or more where quoted cells go on in the next.
struct Record {
    kind: Kind,
    delimiter: char,
    quotes: Reader,
    /// The present line, with a line feed.
    line: String,
    /// The bytes of the record's earlier lines.
    before: usize,
    /// A buffer for a cell without its quotes.
    bare: Vec<u8>,
}

impl Record {
    fn new(kind: Kind) -> Self {
        let delimiter = if kind == Kind::Tsv { '\t' } else { ',' };
        let quotes = ReaderBuilder::new()
            .delimiter(delimiter as u8)
            // `Lines` has removed those that end a line.
            .terminator(Terminator::Any(b'\n'))
            .build();
        Self { kind, delimiter, quotes, line: String::new(), before: 0, bare: vec![0; 256] }
    }

    fn next_line<R: BufRead>(&mut self, lines: &mut Lines<R>) -> Result<bool, Fault> {
        let Some(line) = lines.next()? else { return Ok(false) };
        self.line.clear();
        self.line.push_str(line);
        self.line.push('\n');
        Ok(true)
    }

    /// The cells. A quote that does not begin a cell is part of its text.
    fn cells<R: BufRead>(&mut self, lines: &mut Lines<R>) -> Result<Vec<Cell>, Fault> {
        let (mut cells, mut at) = (vec![], 0);
        while at < self.line.len() {
            cells.push(Cell::Text(match self.line[at..].starts_with('"') {
                true => self.quoted(&mut at, cells.len() + 1, lines)?,
                false => self.plain(&mut at, lines.number)?,
            }));
        }
        Ok(cells)
    }

    /// The cell that begins at `at`, which moves past its end.
    fn plain(&self, at: &mut usize, line: u64) -> Result<String, Fault> {
        let rest = &self.line[*at..self.line.len() - 1];
        let cell = &rest[..rest.find(self.delimiter).unwrap_or(rest.len())];
        if self.kind == Kind::Csv && cell.contains('\r') {
            return Err(Fault::new(
                line,
                "a carriage return in the middle of the line; end lines with line feeds, and \
                 quote texts of several lines",
            ));
        }
        *at += cell.len() + 1;
        Ok(cell.to_string())
    }

    /// The same of a cell that begins with a quote.
    fn quoted<R: BufRead>(
        &mut self,
        at: &mut usize,
        number: usize,
        lines: &mut Lines<R>,
    ) -> Result<String, Fault> {
        let opened = lines.number;
        // The bytes of the cell in the file, with its end, and without its quotes.
        let (mut whole, mut bare) = (0, 0);
        loop {
            let rest = &self.line.as_bytes()[*at..];
            // A buffer for the end of one cell only: it stops there. (`read_field` copies byte by
            // byte.)
            let (result, read, written, ends) =
                self.quotes.read_record(rest, &mut self.bare[bare..], &mut [0]);
            (*at, whole, bare) = (*at + read, whole + read, bare + written);
            match result {
                _ if ends > 0 => break,
                ReadRecordResult::OutputFull => self.bare.resize(2 * self.bare.len(), 0),
                // A line ends within quotes.
                _ => {
                    self.go_on(lines, number, opened)?;
                    *at = 0;
                }
            }
        }
        let cell = &self.bare[..bare];
        let within = cell.iter().filter(|&&byte| byte == b'"').count();
        // The library takes all quotes off of `"a"b`, too.
        if whole != bare + within + 3 || !self.line[..*at - 1].ends_with('"') {
            return Err(Fault::new(
                lines.number,
                format!(
                    "text behind the closing quote of cell {number}, which line {opened} opens; \
                     write a quote within quotes twice"
                ),
            ));
        }
        // Only quotes were removed from a text.
        Ok(String::from_utf8_lossy(cell).into_owned())
    }

    /// Goes to the next line, where a quote is still open.
    fn go_on<R: BufRead>(
        &mut self,
        lines: &mut Lines<R>,
        number: usize,
        opened: u64,
    ) -> Result<(), Fault> {
        let longest = lines.longest;
        let unclosed = |why: String| {
            Fault::new(opened, format!("the quote that opens cell {number} is not closed{why}"))
        };
        self.before += self.line.len();
        match self.next_line(lines)? {
            false => Err(unclosed(" before the end of the file".into())),
            true if self.before + self.line.len() - 1 > longest => {
                Err(unclosed(format!(" within {longest} bytes")))
            }
            true => Ok(()),
        }
    }
}

//! CSV (RFC 4180) and TSV.

use std::io::BufRead;

use super::lines::Lines;
use super::row::{Cell, Fault, Kind, Row};

/// All rows with something in them.
pub(super) fn read<R: BufRead>(lines: &mut Lines<R>, kind: Kind) -> Result<Vec<Row>, Fault> {
    let mut rows = vec![];
    while let Some(mut record) = Record::begin(lines)? {
        let cells = match kind {
            Kind::Tsv => record.split(),
            _ => record.quoted(lines)?,
        };
        if cells.iter().any(|cell| !cell.trim().is_empty()) {
            let cells = cells.into_iter().map(Cell::Text).collect();
            rows.push(Row { line: record.line, cells });
        }
    }
    Ok(rows)
}

/// A record: one line, or more where quoted cells go on in the next.
struct Record {
    /// The line that it begins in.
    line: u64,
    text: String,
}

impl Record {
    fn begin<R: BufRead>(lines: &mut Lines<R>) -> Result<Option<Self>, Fault> {
        let Some(text) = lines.next()?.map(str::to_string) else { return Ok(None) };
        Ok(Some(Self { line: lines.number, text }))
    }

    fn split(&self) -> Vec<String> {
        self.text.split('\t').map(str::to_string).collect()
    }

    /// The cells, parted by commas. A quote that does not begin a cell is a part of its text.
    fn quoted<R: BufRead>(&mut self, lines: &mut Lines<R>) -> Result<Vec<String>, Fault> {
        let (mut cells, mut at) = (vec![], 0);
        loop {
            let number = cells.len() + 1;
            let cell = match self.text[at..].strip_prefix('"') {
                Some(_) => self.behind_quote(&mut at, number, lines)?,
                None => {
                    let rest = &self.text[at..];
                    let cell = &rest[..rest.find(',').unwrap_or(rest.len())];
                    if cell.contains('\r') {
                        return Err(Fault::new(
                            lines.number,
                            "a carriage return in the middle of the line; end lines with line \
                             feeds, and quote texts of several lines",
                        ));
                    }
                    at += cell.len();
                    cell.to_string()
                }
            };
            cells.push(cell);
            match self.text[at..].strip_prefix(',') {
                Some(_) => at += 1,
                None => return Ok(cells),
            }
        }
    }

    /// The cell whose opening quote stands at `at`, which moves behind its closing quote.
    fn behind_quote<R: BufRead>(
        &mut self,
        at: &mut usize,
        number: usize,
        lines: &mut Lines<R>,
    ) -> Result<String, Fault> {
        let (opened, mut cell) = (lines.number, String::new());
        *at += 1;
        loop {
            let rest = &self.text[*at..];
            let Some(quote) = rest.find('"') else {
                cell += rest;
                *at = self.text.len();
                self.go_on(lines, number, opened)?;
                continue;
            };
            cell += &rest[..quote];
            *at += quote + 1;
            match self.text[*at..].bytes().next() {
                Some(b'"') => {
                    cell.push('"');
                    *at += 1;
                }
                None | Some(b',') => return Ok(cell),
                Some(_) => {
                    return Err(Fault::new(
                        lines.number,
                        format!(
                            "text behind the closing quote of cell {number}, which line {opened} \
                             opens; write a quote within quotes twice"
                        ),
                    ));
                }
            }
        }
    }

    /// Adds the next line, for a quote that is still open.
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
        match lines.next()? {
            None => Err(unclosed(" before the end of the file".into())),
            Some(line) if self.text.len() + 1 + line.len() > longest => {
                Err(unclosed(format!(" within {longest} bytes")))
            }
            Some(line) => {
                self.text.push('\n');
                self.text += line;
                Ok(())
            }
        }
    }
}

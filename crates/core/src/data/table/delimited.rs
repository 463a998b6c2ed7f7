//! Values with delimiters between, read as Python's `csv` reads them, except that a quote which
//! swallows what follows is an error.

use std::io::BufRead;

use super::dialect::{Dialect, Quotes};
use super::lines::Lines;
use super::row::{Cell, Each, Fault, Row, Wanted};

/// Reads all rows that are not blank.
pub(super) fn read<R: BufRead>(
    lines: &mut Lines<R>,
    dialect: Dialect,
    wanted: Wanted<'_>,
    each: Each<'_>,
) -> Result<(), Fault> {
    let mut records = Records::new(lines, dialect);
    while let Some(row) = records.next(wanted)? {
        row.transpose().into_iter().for_each(&mut *each);
    }
    Ok(())
}

/// So many lines within quotes, each with as many delimiters as a row, are rows and no text.
const SWALLOWED: usize = 100;

/// The records of a table: each is one line, or more where quoted cells go on in the next.
pub(super) struct Records<'l, R> {
    lines: &'l mut Lines<R>,
    dialect: Dialect,
    /// The present line, without its end.
    line: String,
    /// What ends it.
    end: &'static str,
    /// The bytes of the record's earlier lines.
    before: usize,
    /// A cell without its quotes.
    bare: String,
    /// What is wrong with the present record alone.
    fault: Option<Fault>,
    /// How many cells the first record has; 0 before it is read.
    width: usize,
}

impl<'l, R: BufRead> Records<'l, R> {
    pub(super) fn new(lines: &'l mut Lines<R>, dialect: Dialect) -> Self {
        let (line, bare) = (String::new(), String::new());
        Self { lines, dialect, line, end: "", before: 0, bare, fault: None, width: 0 }
    }

    /// The next record: `None` within if all its cells are blank, an error within if it alone cannot
    /// be used.
    ///
    /// # Errors
    /// If nothing that follows can be read.
    #[allow(clippy::type_complexity, reason = "the end, a faulty record, a blank one: all differ")]
    pub(super) fn next(
        &mut self,
        wanted: Wanted<'_>,
    ) -> Result<Option<Result<Option<Row>, Fault>>, Fault> {
        self.before = 0;
        if !self.next_line()? {
            return Ok(None);
        }
        let line = self.lines.number;
        let (mut cells, mut blank, mut at) = (vec![], true, 0);
        loop {
            let number = cells.len() + 1;
            let quoted = self.dialect.quotes != Quotes::Within && self.line[at..].starts_with('"');
            let text = if quoted {
                self.quoted(&mut at, number)?;
                &self.bare
            } else {
                let rest = &self.line[at..];
                let text = &rest[..rest.find(self.dialect.delimiter).unwrap_or(rest.len())];
                at += text.len();
                text
            };
            blank = blank && text.trim().is_empty();
            cells.push(match wanted.has(number - 1) {
                true => Cell::Text(text.to_string()),
                false => Cell::Missing,
            });
            if at == self.line.len() {
                break;
            }
            // The delimiter.
            at += 1;
        }
        if let Some(fault) = self.fault.take() {
            return Ok(Some(Err(fault)));
        }
        if blank {
            return Ok(Some(Ok(None)));
        }
        self.width = if self.width == 0 { cells.len() } else { self.width };
        Ok(Some(Ok(Some(Row { line, cells }))))
    }

    fn next_line(&mut self) -> Result<bool, Fault> {
        let Some(line) = self.lines.next()? else { return Ok(false) };
        self.line.clear();
        self.line.push_str(line.text);
        self.end = match line.end {
            "\n" => "\n",
            "\r\n" => "\r\n",
            "\r" => "\r",
            _ => "",
        };
        self.fault = self.fault.take().or(line.fault);
        Ok(true)
    }

    /// Puts the cell that begins with a quote at `at`, which moves to its end, into `bare`.
    fn quoted(&mut self, at: &mut usize, number: usize) -> Result<(), Fault> {
        let opened = self.lines.number;
        let (mut rows, mut others) = (0, false);
        self.bare.clear();
        *at += 1;
        loop {
            let rest = &self.line[*at..];
            let Some(quote) = rest.find('"') else {
                self.bare.push_str(rest);
                self.bare.push_str(self.end);
                self.go_on(number, opened)?;
                *at = 0;
                others |= self.line.matches(self.dialect.delimiter).count() + 1 != self.width;
                rows += 1;
                if rows > SWALLOWED && !others && self.width > 1 {
                    let problem = format!(
                        "the quote that opens cell {number} swallows {SWALLOWED} lines that are \
                         rows by themselves; write a quote within a text twice, and quotes around \
                         the text"
                    );
                    return Err(Fault::new(opened, problem));
                }
                continue;
            };
            self.bare.push_str(&rest[..quote]);
            *at += quote + 1;
            if !self.line[*at..].starts_with('"') {
                break;
            }
            self.bare.push('"');
            *at += 1;
        }
        // What stands behind the closing quote belongs to the text, and quotes in it do, too.
        let rest = &self.line[*at..];
        let behind = &rest[..rest.find(self.dialect.delimiter).unwrap_or(rest.len())];
        self.bare.push_str(behind);
        *at += behind.len();
        Ok(())
    }

    /// Goes to the next line, where a quote is still open.
    fn go_on(&mut self, number: usize, opened: u64) -> Result<(), Fault> {
        let longest = self.lines.longest;
        let unclosed = |why: String| {
            Fault::new(opened, format!("the quote that opens cell {number} is not closed{why}"))
        };
        self.before += self.line.len() + self.end.len();
        match self.next_line()? {
            false => Err(unclosed(" before the end of the file".into())),
            true if self.before + self.line.len() > longest => {
                Err(unclosed(format!(" within {longest} bytes")))
            }
            true => Ok(()),
        }
    }
}

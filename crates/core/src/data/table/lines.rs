//! Lines of UTF-8, none longer than a bound.

use std::io::{BufRead, Read};

use super::row::Fault;
use crate::data::encoding;

/// Reads a file line by line and counts the lines.
pub(super) struct Lines<R> {
    reader: R,
    /// The most bytes that a line may have.
    pub(super) longest: usize,
    /// The number of the line that was read last.
    pub(super) number: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R, longest: usize) -> Self {
        Self { reader, longest, number: 0, buffer: vec![] }
    }

    /// The next line, without its end.
    pub(super) fn next(&mut self) -> Result<Option<&str>, Fault> {
        self.buffer.clear();
        // With the line's end, which shows that the line was not cut.
        let most = self.longest as u64 + 2;
        let number = self.number + 1;
        let mut piece = self.reader.by_ref().take(most);
        let read = piece
            .read_until(b'\n', &mut self.buffer)
            .map_err(|e| Fault::new(number, format!("cannot be read ({e})")))?;
        if read == 0 {
            return Ok(None);
        }
        self.number = number;
        let line = self.buffer.as_slice();
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() > self.longest {
            let longest = self.longest;
            return Err(Fault::new(number, format!("the line is longer than {longest} bytes")));
        }
        let line = match number {
            1 => encoding::unmarked(line),
            _ => Ok(line),
        };
        line.and_then(encoding::line).map(Some).map_err(|e| Fault::new(number, e.in_line()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_be_as_long_as_the_bound() {
        for ending in ["", "\n", "\r\n"] {
            for (length, fits) in [(7, true), (8, true), (9, false), (100, false)] {
                let text = format!("\n{}{ending}", "a".repeat(length));
                let mut lines = Lines::new(text.as_bytes(), 8);
                assert_eq!(lines.next(), Ok(Some("")));
                let line = lines.next().map(|line| line.map(str::len));
                match fits {
                    true => assert_eq!(line, Ok(Some(length))),
                    false => {
                        let fault = Fault::new(2, "the line is longer than 8 bytes");
                        assert_eq!(line, Err(fault), "{length} and {ending:?}");
                        continue;
                    }
                }
                assert_eq!(lines.next(), Ok(None));
            }
        }
    }
}

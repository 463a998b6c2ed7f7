//! Lines of UTF-8, none longer than a bound.

use std::io::{BufRead, Read};
use std::str;

use super::row::Fault;
use crate::data::encoding;

/// Reads a file line by line and counts the lines. A line ends with a line feed, a carriage return
/// or both.
pub(crate) struct Lines<R> {
    reader: R,
    /// The most bytes that a line may have.
    pub(super) longest: usize,
    /// The number of the line that was read last.
    pub(crate) number: u64,
    /// What was read up to a line feed.
    buffer: Vec<u8>,
    /// Where the next line begins in it.
    at: usize,
    /// What is wrong with the buffer's bytes, if they are no text.
    fault: Option<String>,
    /// Whether the last line goes on, too long to be kept.
    cut: bool,
}

/// A line.
#[derive(Debug, PartialEq)]
pub(crate) struct Line<'a> {
    /// Its text; where the bytes are none, what of them is.
    pub(crate) text: &'a str,
    /// What ends it; nothing at the end of a file.
    pub(crate) end: &'a str,
    /// What is wrong with the line, so that it cannot be used.
    pub(crate) fault: Option<Fault>,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R, longest: usize) -> Self {
        Self { reader, longest, number: 0, buffer: vec![], at: 0, fault: None, cut: false }
    }

    /// The next line.
    ///
    /// # Errors
    /// If the file cannot be read further, or is in another encoding from its beginning.
    pub(crate) fn next(&mut self) -> Result<Option<Line<'_>>, Fault> {
        if self.at == self.buffer.len() && !self.fill()? {
            return Ok(None);
        }
        self.number += 1;
        // `fill` has seen to it that this is text.
        let rest = str::from_utf8(&self.buffer[self.at..]).unwrap_or_default();
        let (text, end) = match rest.find('\r') {
            None => match rest.strip_suffix('\n') {
                Some(text) => (text, "\n"),
                None => (rest, ""),
            },
            Some(at) if rest[at..].starts_with("\r\n") => (&rest[..at], "\r\n"),
            Some(at) => (&rest[..at], "\r"),
        };
        self.at += text.len() + end.len();
        let fault = self.fault.clone().map(|problem| Fault::new(self.number, problem));
        Ok(Some(Line { text, end, fault }))
    }

    /// Reads up to a line feed; `false` at the end of the file.
    fn fill(&mut self) -> Result<bool, Fault> {
        (self.at, self.fault) = (0, None);
        let number = self.number + 1;
        // With the line's end, which shows that the line was not cut.
        let most = self.longest as u64 + 2;
        while self.cut {
            self.buffer.clear();
            self.cut = self.read(most, number)? > 0 && !self.buffer.ends_with(b"\n");
        }
        self.buffer.clear();
        if self.read(most, number)? == 0 {
            return Ok(false);
        }
        let end = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        if end.strip_suffix(b"\r").unwrap_or(end).len() > self.longest {
            let longest = self.longest;
            self.fault = Some(format!("the line is longer than {longest} bytes"));
            self.cut = !self.buffer.ends_with(b"\n");
            self.buffer = b"\n".to_vec();
            return Ok(true);
        }
        if number == 1 {
            let marked = encoding::unmarked(&self.buffer);
            let text = marked.map_err(|e| Fault::new(1, e.in_line()))?.len();
            self.at = self.buffer.len() - text;
        }
        if let Err(e) = encoding::line(&self.buffer[self.at..]) {
            self.fault = Some(e.in_line());
            let text = String::from_utf8_lossy(&self.buffer[self.at..]).into_owned();
            (self.buffer, self.at) = (text.into_bytes(), 0);
        }
        Ok(self.at < self.buffer.len())
    }

    fn read(&mut self, most: u64, number: u64) -> Result<usize, Fault> {
        let mut piece = self.reader.by_ref().take(most);
        piece
            .read_until(b'\n', &mut self.buffer)
            .map_err(|e| Fault::new(number, format!("cannot be read ({e})")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a file, each as its text or what is wrong with it.
    fn lines(bytes: &[u8], longest: usize) -> Vec<Result<(String, String), Fault>> {
        let (mut lines, mut all) = (Lines::new(bytes, longest), vec![]);
        while let Some(line) = lines.next().unwrap() {
            all.push(match line.fault {
                Some(fault) => Err(fault),
                None => Ok((line.text.to_string(), line.end.to_string())),
            });
        }
        all
    }

    #[test]
    fn a_line_may_be_as_long_as_the_bound() {
        for ending in ["", "\n", "\r\n"] {
            for (length, fits) in [(7, true), (8, true), (9, false), (100, false)] {
                let text = format!("\n{}{ending}c", "a".repeat(length));
                let all = lines(text.as_bytes(), 8);
                assert_eq!(all[0], Ok((String::new(), "\n".into())));
                if ending.is_empty() {
                    continue;
                }
                match fits {
                    true => assert_eq!(all[1], Ok(("a".repeat(length), ending.into()))),
                    false => {
                        assert_eq!(all[1], Err(Fault::new(2, "the line is longer than 8 bytes")));
                    }
                }
                assert_eq!(all[2..], [Ok(("c".into(), String::new()))], "{length}, {ending:?}");
            }
        }
    }

    #[test]
    fn lines_end_as_on_any_system() {
        let all = lines(b"\xEF\xBB\xBFa\rb\r\n\n\rc\xFFd\re\n\r\nf", 99);
        let told: Vec<_> =
            all.iter().map(|line| line.as_ref().map(|(text, end)| (&**text, &**end))).collect();
        let bad =
            |line| Err(Fault::new(line, "not UTF-8: byte 3 of the line is 0xFF; save it as UTF-8"));
        let fine = |text, end| Ok((text, end));
        let expected = [
            fine("a", "\r"),
            fine("b", "\r\n"),
            fine("", "\n"),
            bad(4),
            bad(5),
            bad(6),
            fine("", "\r\n"),
            fine("f", ""),
        ];
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for (told, expected) in told.iter().zip(&expected) {
            assert_eq!(told.map_err(Clone::clone), expected.clone());
        }
    }
}

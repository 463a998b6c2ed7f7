//! The encoding of text files: UTF-8, with or without a byte order mark, and nothing else.

use std::{fmt, str};

/// Why bytes are not text: where, and what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotText {
    /// The line, counted from 1.
    pub line: u64,
    /// The byte in that line, counted from 1.
    pub byte: usize,
    /// What is there.
    pub what: Foreign,
}

/// What a UTF-8 text file cannot contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// A byte that is not part of a character, as in files in Latin-1 or Windows-1252.
    Byte(u8),
    /// A zero byte: something other than text.
    Nul,
    /// The byte order mark of this encoding.
    Mark(&'static str),
}

/// What files in other encodings begin with; longer marks before their own prefixes.
const MARKS: [(&[u8], &str); 4] = [
    (&[0xFF, 0xFE, 0, 0], "UTF-32"),
    (&[0, 0, 0xFE, 0xFF], "UTF-32"),
    (&[0xFF, 0xFE], "UTF-16"),
    (&[0xFE, 0xFF], "UTF-16"),
];

/// UTF-8's byte order mark, which is left out.
const MARK: &[u8] = "\u{FEFF}".as_bytes();

/// The text in a file's contents, without byte order mark.
///
/// # Errors
/// If it is not UTF-8, or holds a zero byte.
pub fn decode(file: &[u8]) -> Result<&str, NotText> {
    line(unmarked(file)?)
}

/// A file's contents, or its first line, without UTF-8's byte order mark.
pub(super) fn unmarked(start: &[u8]) -> Result<&[u8], NotText> {
    match MARKS.iter().find(|(mark, _)| start.starts_with(mark)) {
        Some(&(_, name)) => Err(NotText { line: 1, byte: 1, what: Foreign::Mark(name) }),
        None => Ok(start.strip_prefix(MARK).unwrap_or(start)),
    }
}

/// Lines after the first: a mark there is a character like any other.
pub(super) fn line(bytes: &[u8]) -> Result<&str, NotText> {
    let (at, what) = match str::from_utf8(bytes) {
        Err(e) => (e.valid_up_to(), Foreign::Byte(bytes[e.valid_up_to()])),
        Ok(text) => match bytes.iter().position(|&b| b == 0) {
            Some(at) => (at, Foreign::Nul),
            None => return Ok(text),
        },
    };
    let before = &bytes[..at];
    let start = before.iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1);
    let line = 1 + before.iter().filter(|&&b| b == b'\n').count() as u64;
    Err(NotText { line, byte: at - start + 1, what })
}

impl NotText {
    /// The problem, for callers that name the line themselves.
    pub(super) fn in_line(self) -> String {
        let byte = self.byte;
        match self.what {
            Foreign::Byte(value) => {
                format!("not UTF-8: byte {byte} of the line is 0x{value:02X}; save it as UTF-8")
            }
            Foreign::Nul => format!(
                "byte {byte} of the line is zero, which no text has (UTF-16 without its mark?); \
                 save it as UTF-8"
            ),
            Foreign::Mark(name) => format!("the file is in {name}; save it as UTF-8"),
        }
    }
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.what {
            Foreign::Mark(_) => f.write_str(&self.in_line()),
            _ => write!(f, "line {}: {}", self.line, self.in_line()),
        }
    }
}

impl std::error::Error for NotText {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_left_out_and_characters_stay() {
        for text in ["", "a", "最後\r\n\u{FEFF}b"] {
            assert_eq!(decode(text.as_bytes()), Ok(text));
            assert_eq!(decode(format!("\u{FEFF}{text}").as_bytes()), Ok(text));
        }
    }

    #[test]
    fn what_is_foreign_is_told_with_its_position() {
        for (file, message) in [
            (&b"caf\xE9"[..], "line 1: not UTF-8: byte 4 of the line is 0xE9; save it as UTF-8"),
            (
                b"one\r\ntwo\n\xFF\n",
                "line 3: not UTF-8: byte 1 of the line is 0xFF; save it as UTF-8",
            ),
            // Cut off in the middle of a character.
            (b"a\xE6\x9C", "line 1: not UTF-8: byte 2 of the line is 0xE6; save it as UTF-8"),
            // A surrogate, and a slash that is longer than it may be.
            (b"\xED\xA0\x80", "line 1: not UTF-8: byte 1 of the line is 0xED; save it as UTF-8"),
            (b"a\n.\xC0\xAF", "line 2: not UTF-8: byte 2 of the line is 0xC0; save it as UTF-8"),
            (
                b"a\nb\0c",
                "line 2: byte 2 of the line is zero, which no text has (UTF-16 without its \
                 mark?); save it as UTF-8",
            ),
            (b"\xFF\xFEa\0", "the file is in UTF-16; save it as UTF-8"),
            (b"\xFE\xFF\0a", "the file is in UTF-16; save it as UTF-8"),
            (b"\xFF\xFE\0\0a\0\0\0", "the file is in UTF-32; save it as UTF-8"),
        ] {
            assert_eq!(decode(file).unwrap_err().to_string(), message);
        }
    }
}

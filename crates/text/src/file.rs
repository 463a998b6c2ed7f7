//! Text files: UTF-8 with or without a byte order mark, their lines ended as on any system.

use std::{io, str};

/// Why an input is no text that can be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// The file could not be read.
    #[error("cannot read the file")]
    Io(#[from] io::Error),
    /// The file is in another encoding, or no text at all.
    #[error(
        "not UTF-8: line {line} has the byte 0x{value:02X} as its byte {byte}; save it as UTF-8"
    )]
    Utf8 {
        /// The line, counted from 1.
        line: usize,
        /// The byte in that line, counted from 1.
        byte: usize,
        /// Its value.
        value: u8,
    },
    /// The file begins as files in UTF-16 do.
    #[error("the file is in UTF-16; save it as UTF-8")]
    Utf16,
    /// No source was adopted, so there is no tokenizer.
    #[error("there is no tokenizer yet: a pretrained text model brings it along")]
    NoTokenizer,
}

/// The text in a file's contents, without byte order mark.
pub(crate) fn decode(file: &[u8]) -> Result<&str, TextError> {
    if file.starts_with(&[0xFF, 0xFE]) || file.starts_with(&[0xFE, 0xFF]) {
        return Err(TextError::Utf16);
    }
    let text = str::from_utf8(file).map_err(|e| {
        let (good, bad) = file.split_at(e.valid_up_to());
        let start = good.iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1);
        TextError::Utf8 {
            line: 1 + good.iter().filter(|&&b| b == b'\n').count(),
            byte: good.len() - start + 1,
            value: bad[0],
        }
    })?;
    Ok(text.strip_prefix('\u{FEFF}').unwrap_or(text))
}

/// The lines with something on them, each with its number, counted from 1.
pub(crate) fn sentences(text: &str) -> impl Iterator<Item = (u64, &str)> {
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_whatever_ends_them() {
        let text = decode("\u{FEFF}first\r\n\r\n  \t\nfourth \n最後".as_bytes()).unwrap();
        let lines: Vec<_> = sentences(text).collect();
        assert_eq!(lines, [(1, "first"), (4, "fourth "), (5, "最後")]);
        assert_eq!(sentences(decode(b"").unwrap()).count(), 0);
    }

    #[test]
    fn other_encodings_are_told_with_the_place() {
        for (file, message) in [
            (
                &b"caf\xE9"[..],
                "not UTF-8: line 1 has the byte 0xE9 as its byte 4; save it as UTF-8",
            ),
            (
                b"one\r\ntwo\n\xFF\n",
                "not UTF-8: line 3 has the byte 0xFF as its byte 1; save it as UTF-8",
            ),
            (b"\xFF\xFEa\0", "the file is in UTF-16; save it as UTF-8"),
            (b"\xFE\xFF\0a", "the file is in UTF-16; save it as UTF-8"),
            // Cut off in the middle of a character.
            (b"a\xE6\x9C", "not UTF-8: line 1 has the byte 0xE6 as its byte 2; save it as UTF-8"),
        ] {
            assert_eq!(decode(file).unwrap_err().to_string(), message);
        }
    }
}

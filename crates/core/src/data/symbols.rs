//! Symbols of transcriptions that are given.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use crate::error::{Error, Result};
use crate::files::{self, MOST_JSON};
use crate::task::{BLANK, DELIMITER, LetterCase, Vocabulary};

/// Symbols of transcriptions that are given: by a file, or by a model that goes on with its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbols {
    /// The symbols; their places are their numbers.
    pub names: Vec<String>,
    /// What some of them mean.
    pub vocabulary: Vocabulary,
}

impl Symbols {
    /// Reads a file of symbols: transformers' `vocab.json`, an object with the number of each, or a
    /// text with a symbol in each line. Of lines, the blank `<pad>` and the delimiter of words `|` are
    /// added in front where they are missing.
    ///
    /// # Errors
    /// If it cannot be read, a symbol is there twice or has no number, or a JSON object has no blank.
    pub fn read(path: &Path) -> Result<Self> {
        let malformed = |problem: String| Error::Malformed { path: path.to_path_buf(), problem };
        let contents = files::read(path, MOST_JSON)?;
        let text = super::encoding::decode(&contents).map_err(|e| malformed(e.to_string()))?;
        let names = match text.trim_start().starts_with('{') {
            true => numbered(text),
            false => lines(text),
        };
        let names = names.map_err(malformed)?;
        let vocabulary = Vocabulary::of_symbols(&names)
            .map_err(|_| malformed(format!("no symbol is the blank; add {BLANK:?} to them")))?;
        Ok(Self { names, vocabulary })
    }

    /// The case of all letters that have one, where it is the same.
    pub(super) fn case(&self) -> Option<LetterCase> {
        let Self { names, vocabulary } = self;
        let letter = |at: &usize| is_letter(vocabulary, *at) && !is_marker(&names[*at]);
        let letters: Vec<char> =
            (0..names.len()).filter(letter).flat_map(|at| names[at].chars()).collect();
        let upper = letters.iter().any(|letter| letter.is_uppercase());
        let lower = letters.iter().any(|letter| letter.is_lowercase());
        match (upper, lower) {
            (true, false) => Some(LetterCase::Upper),
            (false, true) => Some(LetterCase::Lower),
            _ => None,
        }
    }
}

/// Whether a symbol is a character of texts.
pub(super) fn is_letter(vocabulary: &Vocabulary, at: usize) -> bool {
    vocabulary.is_written(at) && vocabulary.delimiter != Some(at)
}

/// Whether it is written as no text's symbol is: `<s>`, `[UNK]`.
fn is_marker(symbol: &str) -> bool {
    let within = |open, close| symbol.starts_with(open) && symbol.ends_with(close);
    symbol.len() > 2 && (within('<', '>') || within('[', ']'))
}

/// The symbols of an object `{"a": 0, …}`, by their numbers.
fn numbered(text: &str) -> Result<Vec<String>, String> {
    let of: BTreeMap<String, serde_json::Value> =
        serde_json::from_str(text).map_err(|e| e.to_string())?;
    let n = of.len();
    let mut names = vec![None; n];
    for (symbol, number) in of {
        let at = match number {
            serde_json::Value::Object(_) => {
                return Err(format!(
                    "{symbol:?} has symbols of its own: write those of one language into a file"
                ));
            }
            number => number.as_u64().and_then(|at| usize::try_from(at).ok()).filter(|&at| at < n),
        };
        let at = at.ok_or_else(|| {
            format!("the symbol {symbol:?} has no number from 0 to {}", n.saturating_sub(1))
        })?;
        if let Some(other) = names[at].replace(symbol.clone()) {
            return Err(format!("the symbols {other:?} and {symbol:?} both have the number {at}"));
        }
    }
    // As many numbers below their count, none of them twice, are all of them.
    Ok(names.into_iter().flatten().collect())
}

/// A symbol in each line.
fn lines(text: &str) -> Result<Vec<String>, String> {
    let (mut names, mut seen) = (vec![], HashSet::new());
    for (number, line) in (1..).zip(text.lines()) {
        let symbol = if line == " " { DELIMITER } else { line.trim() };
        if symbol.is_empty() {
            return Err(format!("line {number} is empty; expected a symbol, `|` for a space"));
        }
        if !seen.insert(symbol) {
            return Err(format!("line {number}: the symbol {symbol:?} is there twice"));
        }
        names.push(symbol.to_string());
    }
    if names.is_empty() {
        return Err("there are no symbols in it: write one in each line".into());
    }
    if Vocabulary::of_symbols(&names).is_err() {
        names.insert(0, BLANK.into());
    }
    if !seen.contains(DELIMITER) {
        names.insert(1, DELIMITER.into());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(text: &str) -> Result<Symbols, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("symbols");
        fs::write(&path, text).unwrap();
        Symbols::read(&path).map_err(|e| e.to_string().split_once("symbols: ").unwrap().1.into())
    }

    #[test]
    fn symbols_are_lines_or_an_object_of_numbers() {
        let lines = read("\u{FEFF}a\nb\r\n'\n").unwrap();
        assert_eq!(lines.names, ["<pad>", "|", "a", "b", "'"]);
        assert_eq!((lines.vocabulary.blank, lines.vocabulary.delimiter), (0, Some(1)));
        // What is there stays where it is.
        let own = read("a\n \n[UNK]\n[PAD]\nb").unwrap();
        assert_eq!(own.names, ["a", "|", "[UNK]", "[PAD]", "b"]);
        let Vocabulary { blank, delimiter, unknown, .. } = own.vocabulary;
        assert_eq!((blank, delimiter, unknown), (3, Some(1), Some(2)));
        let letters = read("a\nch\nc\nh").unwrap();
        assert_eq!(letters.vocabulary.encode("acha", &letters.names), (vec![2, 3, 2], vec![]));
        let json = r#" {"<pad>": 0, "<s>": 1, "</s>": 2, "<unk>": 3, "|": 4, "E": 5, "É": 6}"#;
        let json = read(json).unwrap();
        assert_eq!(json.names, ["<pad>", "<s>", "</s>", "<unk>", "|", "E", "É"]);
        assert_eq!(json.vocabulary.special, [1, 2]);
        assert_eq!(json.vocabulary.encode("E  É?", &json.names), (vec![5, 4, 6, 3], vec!['?']));
    }

    #[test]
    fn what_is_wrong_with_symbols_is_said() {
        for (text, said) in [
            ("", "there are no symbols in it"),
            ("a\n\nb\n", "line 2 is empty"),
            ("a\nb\na\n", "line 3: the symbol \"a\" is there twice"),
            ("{\"a\": 0, \"b\": 1}", "no symbol is the blank; add \"<pad>\""),
            ("{\"<pad>\": 0, \"b\": 2}", "the symbol \"b\" has no number from 0 to 1"),
            ("{\"<pad>\": 0, \"b\": -1}", "the symbol \"b\" has no number from 0 to 1"),
            ("{\"<pad>\": 0, \"b\": 0}", "\"<pad>\" and \"b\" both have the number 0"),
            ("{\"eng\": {\"a\": 0}}", "\"eng\" has symbols of its own"),
            ("{\"<pad>\": 0", "EOF"),
            ("a\n\0\n", "byte 1 of the line is zero"),
        ] {
            let problem = read(text).unwrap_err();
            assert!(problem.contains(said), "{problem:?} does not say {said:?}");
        }
    }

    #[test]
    fn letters_of_one_case_tell_how_texts_are_written() {
        let of = |symbols: &str| read(symbols).unwrap().case();
        assert_eq!(of("A\nÉ\n'\n<unk>\n<noise>"), Some(LetterCase::Upper));
        assert_eq!(of("a\nß\n1"), Some(LetterCase::Lower));
        for none in ["a\nB", "1\n2", "最\n後"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}

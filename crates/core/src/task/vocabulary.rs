//! The symbols of transcriptions.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What some of a transcriber's symbols mean; the symbols themselves are its labels. The names of those
/// that are added are transformers' of `Wav2Vec2CTCTokenizer`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vocabulary {
    /// The index of the blank, which stands between symbols and for none.
    pub blank: usize,
    /// The index of the symbol between two words; `None`: there are no words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<usize>,
    /// The index of the symbol for all that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<usize>,
    /// The indices of further symbols that are no part of a text, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub special: Vec<usize>,
    /// How letters are written before they become symbols.
    #[serde(default, skip_serializing_if = "is_kept")]
    pub case: LetterCase,
}

/// How letters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LetterCase {
    /// As they are.
    #[default]
    Kept,
    /// In lower case.
    Lower,
    /// In upper case.
    Upper,
}

impl LetterCase {
    /// A text written so.
    pub fn apply(self, text: &str) -> String {
        match self {
            Self::Kept => text.to_string(),
            Self::Lower => text.to_lowercase(),
            Self::Upper => text.to_uppercase(),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_kept(case: &LetterCase) -> bool {
    *case == LetterCase::Kept
}

/// The blank of a vocabulary that is made here.
pub const BLANK: &str = "<pad>";

/// The symbol between two words.
pub const DELIMITER: &str = "|";

/// The symbol for all that has none.
pub const UNKNOWN: &str = "<unk>";

impl Vocabulary {
    /// The symbols of texts, in order, with a blank first and the delimiter of words second; and what
    /// they mean.
    pub fn of<'t>(
        texts: impl IntoIterator<Item = &'t str>,
        case: LetterCase,
    ) -> (Vec<String>, Self) {
        let mut letters = BTreeSet::new();
        for text in texts {
            letters.extend(case.apply(text).chars().filter(|c| !c.is_whitespace()));
        }
        let letters = letters.iter().map(char::to_string).filter(|letter| letter != DELIMITER);
        let symbols = [BLANK, DELIMITER].map(str::to_string).into_iter().chain(letters).collect();
        (symbols, Self { blank: 0, delimiter: Some(1), case, ..Self::default() })
    }

    /// What symbols mean that were named as transformers names them: `<pad>` or `[PAD]` is the blank,
    /// `|` or a space the delimiter.
    ///
    /// # Errors
    /// If there is no blank among them.
    pub fn of_symbols(symbols: &[String]) -> Result<Self> {
        let at = |names: &[&str]| {
            names.iter().find_map(|name| symbols.iter().position(|symbol| symbol == name))
        };
        let Some(blank) = at(&[BLANK, "[PAD]", "<blank>"]) else {
            let problem = format!("no symbol is the blank; add {BLANK:?} to them");
            return Err(Error::setting("--symbols", problem));
        };
        let unknown = at(&[UNKNOWN, "[UNK]"]);
        let special = ["<s>", "</s>", "[CLS]", "[SEP]", "[MASK]"];
        let special =
            (0..symbols.len()).filter(|&at| special.contains(&symbols[at].as_str())).collect();
        Ok(Self {
            blank,
            delimiter: at(&[DELIMITER, " "]),
            unknown,
            special,
            case: LetterCase::Kept,
        })
    }

    /// Whether a symbol is a part of a text.
    pub fn is_written(&self, symbol: usize) -> bool {
        symbol != self.blank && Some(symbol) != self.unknown && !self.special.contains(&symbol)
    }

    /// What writes texts with these symbols.
    pub fn encoder<'v>(&'v self, symbols: &'v [String]) -> Encoder<'v> {
        let written = |at: &usize| self.is_written(*at) && Some(*at) != self.delimiter;
        let index: HashMap<&str, i64> = (0..symbols.len())
            .filter(written)
            .map(|at| (symbols[at].as_str(), at as i64))
            .collect();
        let longest = index.keys().map(|symbol| symbol.chars().count()).max().unwrap_or(0);
        Encoder { vocabulary: self, index, longest }
    }

    /// The symbols of a text, and the letters that have none: see [`Encoder::encode`]. Of many
    /// texts, ask one [`encoder`](Self::encoder).
    pub fn encode(&self, text: &str, symbols: &[String]) -> (Vec<i64>, Vec<char>) {
        self.encoder(symbols).encode(text)
    }

    /// The text of symbols.
    pub fn decode(&self, encoded: &[usize], symbols: &[String]) -> String {
        let mut text = String::new();
        for &at in encoded {
            if Some(at) == self.delimiter {
                text.push(' ');
            } else if self.is_written(at) {
                text.push_str(symbols.get(at).map_or("", String::as_str));
            }
        }
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Checks that all indices are those of symbols, and that no symbol means two things.
    ///
    /// # Errors
    /// Names the first for which it is not so.
    pub fn validate(&self, symbols: usize) -> Result<()> {
        let all = [Some(self.blank), self.delimiter, self.unknown].into_iter().flatten();
        let twice = all.clone().find(|at| all.clone().filter(|other| other == at).count() > 1);
        if let Some(at) = twice {
            return Err(Error::setting("vocabulary", format!("symbol {at} has two meanings")));
        }
        match all.chain(self.special.iter().copied()).find(|&at| at >= symbols) {
            Some(at) => {
                let problem = format!("symbol {at} of {symbols}");
                Err(Error::setting("vocabulary", problem))
            }
            None => Ok(()),
        }
    }
}

/// Writes texts with symbols.
#[derive(Debug)]
pub struct Encoder<'v> {
    vocabulary: &'v Vocabulary,
    /// By what each symbol writes.
    index: HashMap<&'v str, i64>,
    /// The length of the longest, in letters.
    longest: usize,
}

impl Encoder<'_> {
    /// The symbols of a text, and the letters that have none: those are left out, unless there is a
    /// symbol for all of them. Of symbols of several letters, the longest that fits is taken. Space
    /// between words is the delimiter, however much of it there is.
    pub fn encode(&self, text: &str) -> (Vec<i64>, Vec<char>) {
        let Vocabulary { delimiter, unknown, case, .. } = *self.vocabulary;
        let (mut encoded, mut missing) = (vec![], vec![]);
        for (at, word) in case.apply(text).split_whitespace().enumerate() {
            encoded.extend(delimiter.filter(|_| at > 0).map(|at| at as i64));
            let mut rest = word;
            while let Some(letter) = rest.chars().next() {
                let ends = rest.char_indices().map(|(at, letter)| at + letter.len_utf8());
                let ends: Vec<usize> = ends.take(self.longest).collect();
                let fits =
                    |end: &usize| self.index.get(&rest[..*end]).map(|symbol| (*end, *symbol));
                match ends.iter().rev().find_map(fits) {
                    Some((end, symbol)) => {
                        encoded.push(symbol);
                        rest = &rest[end..];
                    }
                    None => {
                        encoded.extend(unknown.map(|at| at as i64));
                        missing.push(letter);
                        rest = &rest[letter.len_utf8()..];
                    }
                }
            }
        }
        (encoded, missing)
    }
}

#[cfg(test)]
mod tests;

//! Texts as bytes or characters, for trunks that were not trained on text and so have no tokenizer.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

use crosstune_core::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::embed::SymbolImage;
use crate::options::{LENGTHS, MAX_LENGTH, Units};
use crate::tokenizer::Pieces;

/// The symbols, and the longest sequence of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Saved", try_from = "Saved")]
pub struct Symbols {
    units: Units,
    longest: u32,
    /// The number of each character; empty for bytes.
    characters: HashMap<char, i64>,
    /// Whether they become a picture of one width.
    as_image: bool,
}

/// The shortest length: one symbol of each text of a pair, and the separator.
const LEAST: u32 = 3;

/// Special symbols, numbered before those of texts.
const UNKNOWN: i64 = 0;
const SEPARATOR: i64 = 1;
const RESERVED: i64 = 2;
const BYTES: i64 = 256;

/// The most characters that are known; of more, the rarest are unknown.
const MOST_CHARACTERS: usize = 8192;

impl Symbols {
    /// Sequences of at most `longest` units.
    ///
    /// # Errors
    /// If they would be too short for a pair.
    pub fn new(units: Units, longest: Option<u32>) -> Result<Self> {
        let longest = longest.unwrap_or(*LENGTHS.start());
        if longest < LEAST {
            let problem = format!("{longest}: must be at least {LEAST}");
            return Err(Error::Setting { setting: MAX_LENGTH, problem });
        }
        Ok(Self { units, longest, characters: HashMap::new(), as_image: false })
    }

    /// Collects the characters of the training texts, if the units are characters.
    pub(crate) fn survey<'t>(&mut self, texts: impl Iterator<Item = &'t str>) {
        if self.units == Units::Bytes {
            return;
        }
        let mut counts = HashMap::<char, u64>::new();
        texts.flat_map(str::chars).for_each(|c| *counts.entry(c).or_default() += 1);
        let mut found: Vec<_> = counts.into_iter().collect();
        found.sort_by_key(|&(c, count)| (std::cmp::Reverse(count), c));
        found.truncate(MOST_CHARACTERS);
        let found: BTreeSet<char> = found.into_iter().map(|(c, _)| c).collect();
        self.characters = found.into_iter().zip(RESERVED..).collect();
    }

    /// The same for sequences of at most `longest` symbols.
    pub(crate) fn with_longest(self, longest: u32) -> Self {
        Self { longest, ..self }
    }

    /// The same where they become a picture, as for a convolutional trunk.
    pub(crate) fn with_image(self, as_image: bool) -> Self {
        Self { as_image, ..self }
    }

    /// The width of the picture that all texts become; `None`: they become none.
    pub(crate) fn image_width(&self) -> Option<i64> {
        self.as_image.then(|| SymbolImage::width(self.longest.into()))
    }

    /// How many symbols a text or a pair has, before it is truncated.
    pub(crate) fn length(&self, texts: &[Cow<'_, str>]) -> usize {
        let separators = texts.len().saturating_sub(1);
        separators + texts.iter().map(|text| self.symbols(text).count()).sum::<usize>()
    }

    /// What texts are split into.
    pub fn units(&self) -> Units {
        self.units
    }

    /// The number of symbols.
    pub fn count(&self) -> i64 {
        RESERVED + if self.units == Units::Bytes { BYTES } else { self.characters.len() as i64 }
    }

    /// The longest sequence.
    pub fn longest(&self) -> u32 {
        self.longest
    }

    /// A text as symbols, truncated if it is too long; never empty.
    pub fn encode(&self, text: &str) -> Vec<i64> {
        let mut symbols: Vec<i64> = self.symbols(text).take(self.longest as usize).collect();
        if symbols.is_empty() {
            symbols.push(UNKNOWN);
        }
        symbols
    }

    /// Two texts with a separator. If they are too long, the longer text is truncated first.
    pub fn encode_pair(&self, first: &str, second: &str) -> Vec<i64> {
        let room = self.longest as usize - 1;
        let cut = |text| -> Vec<i64> { self.symbols(text).take(room).collect() };
        let (mut first, mut second) = (cut(first), cut(second));
        if first.len() + second.len() > room {
            let half = room / 2;
            let (a, b) = match (first.len() <= half, second.len() <= half) {
                (true, _) => (first.len(), room - first.len()),
                (_, true) => (room - second.len(), second.len()),
                _ => (room - half, half),
            };
            first.truncate(a);
            second.truncate(b);
        }
        first.push(SEPARATOR);
        first.extend(second);
        first
    }

    /// The symbols of words with a space between them, however many.
    pub(crate) fn split_words(&self, words: &[String]) -> Pieces {
        let mut pieces = Pieces::default();
        for (at, word) in words.iter().enumerate() {
            if word.is_empty() {
                continue;
            }
            // The space counts to the word before it.
            if let Some(&last) = pieces.words.last() {
                pieces.ids.extend(self.symbols(" "));
                pieces.words.resize(pieces.ids.len(), last);
            }
            pieces.ids.extend(self.symbols(word));
            pieces.words.resize(pieces.ids.len(), at);
        }
        pieces
    }

    /// Which character each symbol of a sample of [`encode`](Self::encode) or
    /// [`encode_pair`](Self::encode_pair) is of, of all texts with one more between them; `None`: of none.
    pub(crate) fn places(&self, texts: &[&str], sample: &[i64]) -> Vec<Option<usize>> {
        let of = |text: &str, from: usize| -> Vec<usize> {
            let each = text.chars().enumerate();
            let each = each.flat_map(|(at, c)| {
                let symbols = if self.units == Units::Bytes { c.len_utf8() } else { 1 };
                std::iter::repeat_n(from + at, symbols)
            });
            each.collect()
        };
        let parts = match texts.len() {
            2 => sample.iter().position(|&symbol| symbol == SEPARATOR),
            _ => None,
        };
        let first = of(texts.first().copied().unwrap_or_default(), 0);
        let Some(separator) = parts else {
            return (0..sample.len()).map(|at| first.get(at).copied()).collect();
        };
        let behind = texts[0].chars().count() + 1;
        let second = of(texts[1], behind);
        let place = |at: usize| match at.checked_sub(separator + 1) {
            Some(at) => second.get(at).copied(),
            None if at == separator => None,
            None => first.get(at).copied(),
        };
        (0..sample.len()).map(place).collect()
    }

    /// The symbol that says nothing: a space, if there is one.
    pub(crate) fn space(&self) -> i64 {
        self.symbols(" ").next().unwrap_or(UNKNOWN)
    }

    fn symbols<'t>(&'t self, text: &'t str) -> Box<dyn Iterator<Item = i64> + 't> {
        match self.units {
            Units::Bytes => Box::new(text.bytes().map(|byte| RESERVED + i64::from(byte))),
            Units::Characters => {
                Box::new(text.chars().map(|c| self.characters.get(&c).copied().unwrap_or(UNKNOWN)))
            }
        }
    }
}

/// [`Symbols`] in a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    units: Units,
    longest: u32,
    /// In the order of their numbers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    characters: String,
    #[serde(default, skip_serializing_if = "is_false")]
    as_image: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl From<Symbols> for Saved {
    fn from(Symbols { units, longest, characters, as_image }: Symbols) -> Self {
        let mut characters: Vec<_> = characters.into_iter().collect();
        characters.sort_by_key(|&(_, number)| number);
        let characters = characters.into_iter().map(|(c, _)| c).collect();
        Self { units, longest, characters, as_image }
    }
}

impl TryFrom<Saved> for Symbols {
    type Error = Error;

    fn try_from(Saved { units, longest, characters, as_image }: Saved) -> Result<Self> {
        let characters = characters.chars().zip(RESERVED..).collect();
        Ok(Self { characters, as_image, ..Self::new(units, Some(longest))? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_numbered_and_cut() {
        let bytes = Symbols::new(Units::Bytes, Some(5)).unwrap();
        assert_eq!(bytes.count(), 258);
        assert_eq!(bytes.encode("aé"), [99, 197, 171]);
        assert_eq!(bytes.encode("abcdefg"), [99, 100, 101, 102, 103]);
        assert_eq!(bytes.encode(""), [UNKNOWN]);
        assert_eq!(bytes.encode_pair("a", "b"), [99, SEPARATOR, 100]);
        assert!(Symbols::new(Units::Bytes, Some(2)).is_err());
    }

    #[test]
    fn of_a_pair_the_longer_is_cut() {
        let bytes = Symbols::new(Units::Bytes, Some(6)).unwrap();
        for (first, second, cut) in [
            ("a", "bcdefgh", [1, 4]),
            ("abcdefg", "h", [4, 1]),
            ("abcdefg", "abcdefg", [3, 2]),
            ("abc", "de", [3, 2]),
            ("", "abcdefgh", [0, 5]),
        ] {
            let symbols = bytes.encode_pair(first, second);
            let at = symbols.iter().position(|&s| s == SEPARATOR).unwrap();
            assert_eq!([at, symbols.len() - at - 1], cut, "{first} and {second}");
        }
    }

    #[test]
    fn characters_are_those_of_the_training_texts() {
        let mut symbols = Symbols::new(Units::Characters, None).unwrap();
        symbols.survey(["猫b", "bé"].into_iter());
        assert_eq!((symbols.count(), symbols.encode("bz猫é")), (5, vec![2, UNKNOWN, 4, 3]));
        let text = serde_json::to_string(&symbols).unwrap();
        assert_eq!(text, r#"{"units":"characters","longest":256,"characters":"bé猫"}"#);
        assert_eq!(serde_json::from_str::<Symbols>(&text).unwrap(), symbols);
    }
}

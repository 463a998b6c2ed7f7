//! Words to pieces, and where pieces are in a text: for answers that are about words.

use std::ops::Range;

use crosstune_core::BoxError;
use tokenizers::{Decoder, EncodeInput, Encoding, InputSequence, Model, ModelWrapper};

use super::tokenizer::{Tokenizer, contained};

/// Where a token is: in which of the texts, and which of its characters.
pub(crate) type InText = (usize, Range<usize>);

/// A text in pieces, however long, without special tokens.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    /// The token id of each.
    pub(crate) ids: Vec<i64>,
    /// The word that each is of, counted from 0.
    pub(crate) words: Vec<usize>,
    /// Where each is in its text or word, in characters.
    pub(crate) characters: Vec<Range<usize>>,
}

impl Tokenizer {
    /// The pieces of words, each split by itself, as transformers does with `is_split_into_words=True`
    /// and, where pieces are of bytes, `add_prefix_space=True`. A word may have none.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub(crate) fn split_words(&self, words: &[String]) -> Result<Pieces, BoxError> {
        self.check_growth(words.iter().map(String::len).sum())?;
        let words = words.iter().map(String::as_str).collect::<Vec<_>>();
        self.pieces(self.spaced(), InputSequence::PreTokenized(words.into()))
    }

    /// The pieces of a text, each a word of its own.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub(crate) fn split_text(&self, text: &str) -> Result<Pieces, BoxError> {
        self.check_growth(text.len())?;
        let mut pieces = self.pieces(self.inner(), text.into())?;
        pieces.words = (0..pieces.ids.len()).collect();
        Ok(pieces)
    }

    /// Where the tokens of [`encode`](Self::encode) or [`encode_pair`](Self::encode_pair) are: in which of
    /// the texts, and which of its characters. `None`: special tokens.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn places(&self, texts: &[&str]) -> Result<Vec<Option<InText>>, BoxError> {
        self.check_growth(texts.iter().map(|text| text.len()).sum())?;
        let encoding = contained(|| match texts {
            [first, second] => self.inner().encode_char_offsets((*first, *second), true),
            _ => self.inner().encode_char_offsets(texts.concat(), true),
        })?;
        let special = encoding.get_special_tokens_mask();
        let of = encoding.get_sequence_ids();
        let place = |at: usize| {
            let (from, to) = encoding.get_offsets()[at];
            of[at].filter(|_| special[at] == 0).map(|text| (text, from..to))
        };
        Ok((0..encoding.len()).map(place).collect())
    }

    fn pieces(
        &self,
        by: &tokenizers::Tokenizer,
        input: InputSequence<'_>,
    ) -> Result<Pieces, BoxError> {
        let input = EncodeInput::Single(input);
        let encoding = contained(|| by.encode_char_offsets(input, false))?;
        let mut pieces = Pieces::default();
        let mut add = |part: &Encoding| -> Result<(), BoxError> {
            pieces.ids.extend(self.known(part.get_ids())?);
            pieces.words.extend(part.get_word_ids().iter().map(|word| word.unwrap_or(0) as usize));
            pieces.characters.extend(part.get_offsets().iter().map(|&(from, to)| from..to));
            Ok(())
        };
        // The library truncates, and keeps what it cuts off.
        add(&encoding)?;
        encoding.get_overflowing().iter().try_for_each(&mut add)?;
        Ok(pieces)
    }

    /// The special tokens before a text, and those behind it.
    ///
    /// # Errors
    /// If the tokenizer contradicts itself.
    pub(crate) fn around(&self) -> Result<[Vec<i64>; 2], BoxError> {
        let encoding = contained(|| self.inner().encode("a", true))?;
        let special: Vec<bool> =
            encoding.get_special_tokens_mask().iter().map(|&special| special == 1).collect();
        let ids = self.known(encoding.get_ids())?;
        let before = special.iter().take_while(|special| **special).count();
        let behind = special[before..].iter().rev().take_while(|special| **special).count();
        Ok([ids[..before].to_vec(), ids[ids.len() - behind..].to_vec()])
    }

    /// What pieces of a text are called, one by one; what is unknown, as the text has it.
    pub(crate) fn named(&self, pieces: &Pieces, text: &str) -> Vec<String> {
        let unknown = self.unknown();
        let characters: Vec<char> = text.chars().collect();
        let name = |(&id, at): (&i64, &Range<usize>)| match u32::try_from(id) {
            Ok(id) if Some(id) != unknown => self.inner().id_to_token(id).unwrap_or_default(),
            _ => characters.get(at.clone()).map(|found| found.iter().collect()).unwrap_or_default(),
        };
        pieces.ids.iter().zip(&pieces.characters).map(name).collect()
    }

    /// The text of such pieces.
    pub(crate) fn text(&self, pieces: &[String]) -> String {
        let joined = || pieces.join(" ");
        match self.inner().get_decoder() {
            Some(decoder) => decoder.decode(pieces.to_vec()).unwrap_or_else(|_| joined()),
            None => joined(),
        }
    }

    /// The token for what has none.
    fn unknown(&self) -> Option<u32> {
        let id = |token: &str| self.inner().token_to_id(token);
        match self.inner().get_model() {
            ModelWrapper::WordPiece(model) => id(&model.unk_token),
            ModelWrapper::WordLevel(model) => model.token_to_id(&model.unk_token),
            ModelWrapper::BPE(model) => model.unk_token.as_deref().and_then(id),
            ModelWrapper::Unigram(_) => ["<unk>", "[UNK]"].into_iter().find_map(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    fn fixture(name: &str) -> PathBuf {
        [env!("CARGO_MANIFEST_DIR"), "tests/fixtures", name].iter().collect()
    }

    fn numbers(value: &Value) -> Vec<i64> {
        value.as_array().unwrap().iter().map(|x| x.as_i64().unwrap()).collect()
    }

    #[test]
    fn words_are_split_as_in_python() {
        let file = fs::read_to_string(fixture("tagging/words.json")).unwrap();
        let expected: Value = serde_json::from_str(&file).unwrap();
        let sentences = Vec::<Vec<String>>::deserialize(&expected["sentences"]).unwrap();
        for (name, of) in expected["tokenizers"].as_object().unwrap() {
            // However short what a model takes.
            let tokenizer = Tokenizer::open(&fixture(name), 9).unwrap();
            let [before, behind] = tokenizer.around().unwrap();
            for (at, words) in sentences.iter().enumerate() {
                let pieces = tokenizer.split_words(words).unwrap();
                let ids = [&before[..], &pieces.ids, &behind].concat();
                assert_eq!(ids, numbers(&of["ids"][at]), "{name}: {words:?}");
                let special = |n: usize| vec![Value::Null; n];
                let of_words = pieces.words.iter().map(|&word| Value::from(word)).collect();
                let all = [special(before.len()), of_words, special(behind.len())].concat();
                assert_eq!(Value::from(all), of["words"][at], "{name}: {words:?}");
            }
        }
    }
}

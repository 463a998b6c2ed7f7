//! Sentences whose words are labelled one by one.

use std::ops::Range;

use crosstune_core::{Batch, BoxError, Input, Places, Rng, Window, data::Wording, task::WordStart};
use rayon::prelude::*;
use tch::{Kind, Tensor};

use super::{
    reader::{Answers, Reader},
    settings::{TextSettings, short, texts},
};
use crate::{file::TextError, symbols::Symbols, tokenizer::Pieces, word_alignment};

impl TextSettings {
    /// A sentence of words, or a text whose pieces are words of their own; without a tokenizer, what
    /// spaces part is a word.
    pub(super) fn read_words(&self, input: &Input) -> Result<Tensor, BoxError> {
        let pieces = self.pieces(input)?;
        let around = match &self.reader {
            Reader::Tokens { tokenizer, .. } => tokenizer.around()?,
            Reader::None | Reader::Symbols(_) => [vec![], vec![]],
        };
        if pieces.ids.is_empty() && around.iter().all(Vec::is_empty) {
            // A model needs a position.
            return word_alignment::sample(&[], &[], &[vec![self.pad()], vec![]]);
        }
        word_alignment::sample(&pieces.ids, &pieces.words, &around)
    }

    /// How many positions that is.
    pub(super) fn words_length(&self, input: &Input) -> Result<usize, BoxError> {
        Ok(self.read_words(input)?.size()[1] as usize)
    }

    fn pieces(&self, input: &Input) -> Result<Pieces, BoxError> {
        if let Input::Words(words) = input {
            short(&words.join(" "))?;
            return match &self.reader {
                Reader::None => Err(TextError::NoTokenizer.into()),
                Reader::Tokens { tokenizer, .. } => tokenizer.split_words(words),
                Reader::Symbols(symbols) => Ok(symbols.split_words(words)),
            };
        }
        let text = text(input)?;
        short(&text)?;
        match &self.reader {
            Reader::None => Err(TextError::NoTokenizer.into()),
            Reader::Tokens { tokenizer, .. } => tokenizer.split_text(&text),
            Reader::Symbols(symbols) => {
                let words: Vec<_> = text.split_whitespace().map(str::to_string).collect();
                Ok(symbols.split_words(&words))
            }
        }
    }

    /// What a model takes of a training sample: one of its windows, at random.
    pub(super) fn one_window(&self, sample: &Tensor, rng: &mut Rng) -> Tensor {
        match (self.answers, self.reader.most()) {
            (Answers::Words, Some(most)) => word_alignment::random_window(sample, most, rng),
            _ => sample.shallow_clone(),
        }
    }

    pub(super) fn word_windows(&self, sample: &Tensor) -> Vec<Window> {
        match (self.answers, self.reader.most()) {
            (Answers::Words, Some(most)) => word_alignment::windows(sample, most),
            _ => vec![Window::from(sample.shallow_clone())],
        }
    }

    pub(super) fn word_starts(&self, sample: &Tensor) -> Vec<WordStart> {
        match self.answers {
            Answers::Words => word_alignment::words(sample),
            Answers::Texts => vec![],
        }
    }

    /// Where words are in the text: in that of words with a space between each, or in the text whose
    /// pieces they are.
    pub(super) fn word_places(&self, input: &Input) -> Result<Places, BoxError> {
        if self.answers == Answers::Texts {
            return Ok(Places::default());
        }
        let joined = |words: Vec<String>| {
            Wording::new(move |at| words.get(at).unwrap_or_default().join(" "))
        };
        if let Input::Words(words) = input {
            let words = words.clone();
            return Ok(Places {
                words: spaced(&words),
                wording: Some(joined(words)),
                ..Places::default()
            });
        }
        let text = text(input)?;
        Ok(match &self.reader {
            Reader::Tokens { tokenizer, .. } => {
                let pieces = tokenizer.split_text(&text)?;
                let (tokenizer, named) = (tokenizer.clone(), tokenizer.named(&pieces, &text));
                let write =
                    move |at: Range<usize>| tokenizer.text(named.get(at).unwrap_or_default());
                let wording = Some(Wording::new(write));
                Places { words: pieces.characters, wording, ..Places::default() }
            }
            Reader::None | Reader::Symbols(_) => {
                let words: Vec<_> = text.split_whitespace().map(str::to_string).collect();
                let places = parted(&text);
                Places { words: places, wording: Some(joined(words)), ..Places::default() }
            }
        })
    }

    /// Looks whether a training sentence has more positions than a model takes at once, and has texts
    /// split as its words are.
    pub(super) fn fit_words(&mut self, train: &[&Input]) {
        let Some(most) = self.reader.most().filter(|_| self.answers == Answers::Words) else {
            return;
        };
        if let Reader::Tokens { tokenizer, .. } = &mut self.reader
            && train.iter().any(|input| matches!(input, Input::Words(_)))
        {
            *tokenizer = tokenizer.clone().with_spaces();
        }
        let is_long =
            |input: &&Input| self.words_length(input).is_ok_and(|length| length > most as usize);
        self.has_long = train.par_iter().any(is_long);
    }

    /// Symbols `[…, T]`, padded to the width of a picture, if they become one.
    pub(super) fn filled(&self, x: Tensor) -> Tensor {
        let width = self.symbols().and_then(Symbols::image_width).unwrap_or(0);
        match width - x.size().last().copied().unwrap_or(0) {
            missing if missing > 0 => x.constant_pad_nd([0, missing]),
            _ => x,
        }
    }

    /// The ids of samples with words, padded and masked; of what becomes a picture, all of one width.
    pub(super) fn batch_of_words(&self, samples: &[&Tensor]) -> Batch {
        let rows: Vec<Tensor> = samples.iter().map(|sample| word_alignment::ids(sample)).collect();
        let lengths: Vec<i64> = rows.iter().map(|row| row.size()[0]).collect();
        let x = self.filled(Tensor::pad_sequence(&rows, true, self.pad() as f64, "right"));
        let longest = x.size()[1];
        let mask = lengths.iter().any(|&length| length < longest).then(|| {
            let positions = Tensor::arange(longest, (Kind::Int64, x.device()));
            positions.lt_tensor(&Tensor::from_slice(&lengths).to_device(x.device()).unsqueeze(1))
        });
        Batch { x, attention_mask: mask }
    }
}

/// The one text of an input.
fn text(input: &Input) -> Result<String, TextError> {
    match input {
        Input::Pair(_) => Err(TextError::PairOfWords),
        _ => Ok(texts(input)?.concat()),
    }
}

/// Where words are, in characters, with a space between each.
fn spaced(words: &[String]) -> Vec<Range<usize>> {
    let mut at = 0;
    let place = |word: &String| {
        let start = at;
        let end = start + word.chars().count();
        at = end + 1;
        start..end
    };
    words.iter().map(place).collect()
}

/// Where the words are, in characters, that spaces part.
fn parted(text: &str) -> Vec<Range<usize>> {
    let mut places: Vec<Range<usize>> = vec![];
    let mut within = false;
    for (at, letter) in text.chars().enumerate() {
        match (letter.is_whitespace(), places.last_mut()) {
            (true, _) => {}
            (false, Some(place)) if within => place.end = at + 1,
            (false, _) => places.push(at..at + 1),
        }
        within = !letter.is_whitespace();
    }
    places
}

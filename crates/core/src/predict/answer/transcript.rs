//! Texts that were heard or read, with the place of each word.

use serde::Serialize;
use tch::Tensor;

use crate::error::Result;
use crate::modality::Places;
use crate::task::{Vocabulary, ctc};

/// A text, with the place of each word.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Transcript {
    /// The whole text.
    pub text: String,
    /// Its words, in order.
    pub words: Vec<SpokenWord>,
}

/// A word of a transcript.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SpokenWord {
    /// The word.
    pub word: String,
    /// The model's positions that it is heard at: the first, and the one behind the last.
    #[serde(skip)]
    pub positions: [usize; 2],
    /// When it begins and ends, in seconds, where positions are moments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<[f64; 2]>,
}

impl Transcript {
    pub(super) fn located(mut self, places: &Places) -> Self {
        for word in &mut self.words {
            word.seconds = places
                .seconds_per_position
                .map(|seconds| word.positions.map(|position| position as f64 * seconds));
        }
        self
    }
}

/// The text in the scores of one sample, `[T, symbols]`.
pub(super) fn transcript(
    vocabulary: &Vocabulary,
    symbols: &[String],
    scores: &Tensor,
) -> Result<Transcript> {
    let best = Vec::<i64>::try_from(scores.argmax(-1, false))?;
    let mut words: Vec<SpokenWord> = vec![];
    let mut within = false;
    for ctc::Emission { symbol, start, end } in ctc::greedy(&best, vocabulary) {
        if Some(symbol) == vocabulary.delimiter {
            within = false;
        } else if vocabulary.is_written(symbol) {
            let letter = symbols.get(symbol).map_or("", String::as_str);
            match words.last_mut().filter(|_| within) {
                Some(word) => {
                    word.word.push_str(letter);
                    word.positions[1] = end;
                }
                None => {
                    let (word, positions) = (letter.into(), [start, end]);
                    words.push(SpokenWord { word, positions, seconds: None });
                }
            }
            within = true;
        }
    }
    let text = words.iter().map(|word| word.word.as_str()).collect::<Vec<_>>().join(" ");
    Ok(Transcript { text, words })
}

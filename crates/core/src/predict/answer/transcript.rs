//! Texts that were heard or read, with the place of each word.

use serde::Serialize;

use crate::modality::Places;
use crate::task::Vocabulary;
use crate::task::ctc::Emission;

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
    /// The mean over its symbols of each one's highest probability where it is heard.
    pub probability: f64,
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
            word.seconds = places.seconds_per_position.map(|seconds| {
                word.positions.map(|position| places.starts_at + position as f64 * seconds)
            });
        }
        self
    }
}

/// The text of symbols.
pub(super) fn transcript(
    vocabulary: &Vocabulary,
    symbols: &[String],
    emitted: &[Emission],
) -> Transcript {
    let mut words: Vec<SpokenWord> = vec![];
    // Of each word, how many symbols it has.
    let mut counts: Vec<usize> = vec![];
    let mut within = false;
    for &Emission { symbol, start, end, probability } in emitted {
        if Some(symbol) == vocabulary.delimiter {
            within = false;
        } else if vocabulary.is_written(symbol) {
            let letter = symbols.get(symbol).map_or("", String::as_str);
            match (words.last_mut(), counts.last_mut()) {
                (Some(word), Some(count)) if within => {
                    word.word.push_str(letter);
                    word.positions[1] = end;
                    word.probability += probability;
                    *count += 1;
                }
                _ => {
                    let (word, positions) = (letter.into(), [start, end]);
                    words.push(SpokenWord { word, probability, positions, seconds: None });
                    counts.push(1);
                }
            }
            within = true;
        }
    }
    for (word, count) in words.iter_mut().zip(counts) {
        word.probability /= count as f64;
    }
    let text = words.iter().map(|word| word.word.as_str()).collect::<Vec<_>>().join(" ");
    Transcript { text, words }
}

#[cfg(test)]
mod tests;

//! Metrics of transcriptions: word and character error rates.

use serde::{Deserialize, Serialize};

/// The edits that make a hypothesis of a reference, counted as `jiwer` counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Edits {
    /// What is the same.
    pub hits: usize,
    /// What is another.
    pub substitutions: usize,
    /// What is missing.
    pub deletions: usize,
    /// What is too much.
    pub insertions: usize,
}

impl Edits {
    /// The fewest edits between two sequences.
    pub fn between<T: PartialEq>(reference: &[T], hypothesis: &[T]) -> Self {
        let (rows, columns) = (reference.len() + 1, hypothesis.len() + 1);
        let mut cost = vec![0_usize; rows * columns];
        for row in 0..rows {
            for column in 0..columns {
                cost[row * columns + column] = if row == 0 || column == 0 {
                    row + column
                } else {
                    let other = usize::from(reference[row - 1] != hypothesis[column - 1]);
                    let diagonal = cost[(row - 1) * columns + column - 1] + other;
                    let up = cost[(row - 1) * columns + column] + 1;
                    let left = cost[row * columns + column - 1] + 1;
                    diagonal.min(up).min(left)
                };
            }
        }
        let (mut row, mut column, mut edits) = (rows - 1, columns - 1, Self::default());
        while row > 0 || column > 0 {
            let here = cost[row * columns + column];
            if row > 0 && column > 0 {
                let same = reference[row - 1] == hypothesis[column - 1];
                if here == cost[(row - 1) * columns + column - 1] + usize::from(!same) {
                    match same {
                        true => edits.hits += 1,
                        false => edits.substitutions += 1,
                    }
                    (row, column) = (row - 1, column - 1);
                    continue;
                }
            }
            if row > 0 && here == cost[(row - 1) * columns + column] + 1 {
                edits.deletions += 1;
                row -= 1;
            } else {
                edits.insertions += 1;
                column -= 1;
            }
        }
        edits
    }

    /// The sum of two.
    pub fn add(&mut self, more: Self) {
        self.hits += more.hits;
        self.substitutions += more.substitutions;
        self.deletions += more.deletions;
        self.insertions += more.insertions;
    }

    /// The error rate: edits for each word, or character, of the references; of none, 0 or 1.
    pub fn rate(&self) -> f64 {
        let wrong = self.substitutions + self.deletions + self.insertions;
        match self.hits + self.substitutions + self.deletions {
            0 => f64::from(u8::from(wrong > 0)),
            all => wrong as f64 / all as f64,
        }
    }
}

/// Metrics of transcriptions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TranscriptionMetrics {
    /// The number of samples.
    pub samples: usize,
    /// The mean CTC loss, for each symbol, in nats.
    pub loss: f64,
    /// The word error rate.
    pub wer: f64,
    /// The character error rate.
    pub cer: f64,
    /// The edits of words.
    pub words: Edits,
    /// The edits of characters.
    pub characters: Edits,
}

impl TranscriptionMetrics {
    /// Of pairs of a reference and a hypothesis.
    pub(crate) fn of(pairs: &[(String, String)], loss: f64) -> Self {
        let (mut words, mut characters) = (Edits::default(), Edits::default());
        for (reference, hypothesis) in pairs {
            let of = |text: &str| text.split_whitespace().map(str::to_string).collect::<Vec<_>>();
            words.add(Edits::between(&of(reference), &of(hypothesis)));
            let of = |text: &str| text.chars().collect::<Vec<_>>();
            characters.add(Edits::between(&of(reference), &of(hypothesis)));
        }
        let (wer, cer) = (words.rate(), characters.rate());
        Self { samples: pairs.len(), loss, wer, cer, words, characters }
    }
}

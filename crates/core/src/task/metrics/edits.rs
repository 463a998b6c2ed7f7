//! Edits between texts, counted.

use std::hash::Hash;

use serde::{Deserialize, Serialize};

use super::levenshtein::{Edit, alignment};

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
    pub fn between<T: Eq + Hash>(reference: &[T], hypothesis: &[T]) -> Self {
        let mut counts = Self::default();
        for edit in alignment(reference, hypothesis) {
            *match edit {
                Edit::Hit => &mut counts.hits,
                Edit::Substitution => &mut counts.substitutions,
                Edit::Deletion => &mut counts.deletions,
                Edit::Insertion => &mut counts.insertions,
            } += 1;
        }
        counts
    }

    /// Of the words of two texts: what stands between spaces.
    pub fn of_words(reference: &str, hypothesis: &str) -> Self {
        Self::between(&words(reference), &words(hypothesis))
    }

    /// Of the characters (code points) of two texts, without space around them.
    pub fn of_characters(reference: &str, hypothesis: &str) -> Self {
        let characters = |text: &str| Vec::from_iter(text.trim().chars());
        Self::between(&characters(reference), &characters(hypothesis))
    }

    /// The sum of two.
    pub fn add(&mut self, more: Self) {
        self.hits += more.hits;
        self.substitutions += more.substitutions;
        self.deletions += more.deletions;
        self.insertions += more.insertions;
    }

    /// What is wrong: substitutions, deletions and insertions.
    pub fn errors(&self) -> usize {
        self.substitutions + self.deletions + self.insertions
    }

    /// The length of the reference.
    pub fn reference(&self) -> usize {
        self.hits + self.substitutions + self.deletions
    }

    /// The error rate: edits for each word, or character, of the references. Where those have none, the
    /// number of insertions, as jiwer says.
    pub fn rate(&self) -> f64 {
        self.errors() as f64 / self.reference().max(1) as f64
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// The sum of many.
impl FromIterator<Edits> for Edits {
    fn from_iter<I: IntoIterator<Item = Self>>(all: I) -> Self {
        all.into_iter().fold(Self::default(), |mut sum, one| {
            sum.add(one);
            sum
        })
    }
}

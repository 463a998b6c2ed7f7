//! A sentence that a model got wrong, word by word.

use serde::{Deserialize, Serialize};

/// What is right beside what was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Sentence {
    /// A text that was spoken or written, beside what a model read: in the order of both.
    Heard(Vec<Heard>),
    /// Words with stretches that are labelled.
    Tagged {
        /// The words.
        words: Vec<String>,
        /// What is right.
        truth: Vec<Stretch>,
        /// What a model found.
        found: Vec<Stretch>,
    },
}

/// A word of a reference, of a hypothesis, or of both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Heard {
    /// It is right.
    Right(String),
    /// One word in place of another: the reference's, and the hypothesis'.
    Substituted(String, String),
    /// A word of the reference is left out.
    Deleted(String),
    /// A word is put in.
    Inserted(String),
}

/// A stretch of words that belong together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Stretch {
    /// What it is: `LOC`.
    pub label: String,
    /// Its first word, counted from 0.
    pub start: usize,
    /// The word behind its last.
    pub end: usize,
}

impl Sentence {
    /// Whether stretches are stretches of the words.
    pub(crate) fn is_whole(&self) -> bool {
        match self {
            Self::Heard(_) => true,
            Self::Tagged { words, truth, found } => {
                let within = |of: &Stretch| of.start < of.end && of.end <= words.len();
                truth.iter().chain(found).all(within)
            }
        }
    }
}

//! Where the places of an answer are in an input.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Where the places of an answer are in an input.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// How long one position is, in seconds, where positions are moments.
    pub seconds_per_position: Option<f64>,
    /// When the first position begins, in seconds, where positions are moments.
    pub starts_at: f64,
    /// Where each word is in the text, in characters.
    pub words: Vec<Range<usize>>,
    /// The text of words, as the modality writes it.
    pub wording: Option<Wording>,
}

/// Writes the text of some words of an input, from the first to the one ahead of the last.
#[derive(Clone)]
pub struct Wording(Arc<dyn Fn(Range<usize>) -> String + Send + Sync>);

impl Wording {
    /// By a function of the words.
    pub fn new(write: impl Fn(Range<usize>) -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(write))
    }

    /// The text of some words.
    pub fn write(&self, words: Range<usize>) -> String {
        (self.0)(words)
    }
}

/// Without the function.
impl fmt::Debug for Wording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wording").finish_non_exhaustive()
    }
}

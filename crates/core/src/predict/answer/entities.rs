//! What was found in a text: stretches of words that belong together.

use serde::Serialize;
use tch::{Kind, Tensor};

use crate::error::Result;
use crate::modality::Places;
use crate::task::{Scheme, Span};

/// A stretch of words that belong together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entity {
    /// What it is: `PER`.
    pub label: String,
    /// The mean probability of its words' labels.
    pub probability: f64,
    /// Its words: the first, counted from 0, and the one behind the last.
    #[serde(skip)]
    pub words: [usize; 2],
    /// Where it begins and ends in the text, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub characters: Option<[usize; 2]>,
}

impl Entity {
    pub(super) fn located(mut self, places: &Places) -> Self {
        let [first, behind] = self.words;
        let begin = places.words.get(first).map(|word| word.start);
        let end =
            behind.checked_sub(1).and_then(|last| places.words.get(last)).map(|word| word.end);
        self.characters = begin.zip(end).map(|(begin, end)| [begin, end]);
        self
    }
}

/// What there is in the scores of one sample, `[W, labels]`.
pub(super) fn entities(labels: &[String], scores: &Tensor) -> Result<Vec<Entity>> {
    let (probability, best) = scores.max_dim(-1, false);
    let best = Vec::<i64>::try_from(best)?;
    let probability = Vec::<f64>::try_from(probability.exp().to_kind(Kind::Double))?;
    let names = best.iter().map(|&label| labels.get(label as usize).map_or("O", String::as_str));
    let entity = |span: Span| {
        let within = &probability[span.start..span.end];
        Entity {
            probability: within.iter().sum::<f64>() / within.len().max(1) as f64,
            label: span.kind,
            words: [span.start, span.end],
            characters: None,
        }
    };
    let scheme = Scheme::of_labels(labels.iter().map(String::as_str));
    Ok(scheme.spans(names).into_iter().map(entity).collect())
}

//! Metrics of transcriptions: word and character error rates.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::bootstrap::intervals;
use super::edits::Edits;

/// Metrics of transcriptions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TranscriptionMetrics {
    /// The number of samples.
    pub samples: usize,
    /// The mean CTC loss, for each symbol, in nats.
    pub loss: f64,
    /// The word error rate: all errors for all words.
    pub wer: f64,
    /// The character error rate.
    pub cer: f64,
    /// The 95 % interval of the word error rate, by the bootstrap over samples; `None`: there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wer_interval: Option<[f64; 2]>,
    /// That of the character error rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cer_interval: Option<[f64; 2]>,
    /// The edits of words.
    pub words: Edits,
    /// The edits of characters.
    pub characters: Edits,
    /// The same for each group of samples, a speaker's say, by name; empty where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupMetrics>,
}

/// Metrics of the transcriptions of a group of samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupMetrics {
    /// The group: a speaker, say.
    pub name: String,
    /// The number of samples.
    pub samples: usize,
    /// The word error rate.
    pub wer: f64,
    /// The character error rate.
    pub cer: f64,
}

/// What is said in a sample, and what a model hears.
#[derive(Debug)]
pub(crate) struct Utterance {
    pub(crate) reference: String,
    pub(crate) hypothesis: String,
    /// Whose it is.
    pub(crate) group: Option<String>,
}

impl TranscriptionMetrics {
    /// Of all samples, with their mean loss.
    pub(crate) fn of(utterances: &[Utterance], loss: f64) -> Self {
        let both = |Utterance { reference, hypothesis, .. }: &Utterance| {
            let [a, b] = [reference, hypothesis];
            [Edits::of_words(a, b), Edits::of_characters(a, b)]
        };
        let edits: Vec<[Edits; 2]> = utterances.par_iter().map(both).collect();
        let sums = |edits: &[[Edits; 2]]| {
            [0, 1].map(|which| edits.iter().map(|both| both[which]).collect::<Edits>())
        };
        let mut groups = BTreeMap::<&str, Vec<_>>::new();
        for (utterance, edits) in utterances.iter().zip(&edits) {
            if let Some(group) = &utterance.group {
                groups.entry(group).or_default().push(*edits);
            }
        }
        let groups = groups.into_iter().map(|(name, edits)| {
            let [wer, cer] = sums(&edits).map(|sum| sum.rate());
            GroupMetrics { name: name.into(), samples: edits.len(), wer, cer }
        });
        let [words, characters] = sums(&edits);
        let intervals = intervals(&edits);
        Self {
            samples: utterances.len(),
            loss,
            wer: words.rate(),
            cer: characters.rate(),
            wer_interval: intervals.map(|[words, _]| words),
            cer_interval: intervals.map(|[_, characters]| characters),
            words,
            characters,
            groups: groups.collect(),
        }
    }
}

//! Metrics of labelled words: the F1 of spans, as `seqeval` counts them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// A stretch of words that belong together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// What it is: `PER`.
    pub kind: String,
    /// Its first word, counted from 0.
    pub start: usize,
    /// The word behind its last.
    pub end: usize,
}

/// The spans of a sentence's labels, in order. A span that does not begin with `B-` begins where its
/// first word is, as `seqeval` has it by default.
pub fn spans<'l>(labels: impl IntoIterator<Item = &'l str>) -> Vec<Span> {
    let mut found: Vec<Span> = vec![];
    let mut open = false;
    for (at, label) in labels.into_iter().enumerate() {
        let (place, kind) = parts(label);
        let goes_on = open
            && matches!(place, 'I' | 'E')
            && found.last().is_some_and(|span| span.kind == kind);
        match (goes_on, found.last_mut()) {
            (true, Some(span)) => span.end = at + 1,
            _ if place != 'O' => found.push(Span { kind: kind.into(), start: at, end: at + 1 }),
            _ => {}
        }
        open = !matches!(place, 'O' | 'E' | 'S');
    }
    found
}

/// The place in its span that a label gives its word, and what the span is: `B-PER`.
fn parts(label: &str) -> (char, &str) {
    match label.split_once('-') {
        Some((place, kind)) => (place.chars().next().unwrap_or('O'), kind),
        None if label == "O" => ('O', ""),
        None => (label.chars().next().unwrap_or('O'), "_"),
    }
}

/// Precision, recall and F1 of one type of spans, or of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpanMetrics {
    /// What they are: `PER`.
    pub name: String,
    /// Of those found, the fraction that is right.
    pub precision: f64,
    /// Of those there are, the fraction that is found.
    pub recall: f64,
    /// The harmonic mean of the two.
    pub f1: f64,
    /// How many there are.
    pub support: usize,
}

/// Metrics of labelled words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaggingMetrics {
    /// The number of samples.
    pub samples: usize,
    /// The mean cross-entropy of words, in nats.
    pub loss: f64,
    /// The F1 of all spans together (micro).
    pub span_f1: f64,
    /// Of the spans found, the fraction that is right.
    pub precision: f64,
    /// Of the spans there are, the fraction that is found.
    pub recall: f64,
    /// The mean F1 over the types of spans.
    pub macro_f1: f64,
    /// The fraction of words whose label is right.
    pub word_accuracy: f64,
    /// The number of words.
    pub words: usize,
    /// By type, in order of the names.
    pub types: Vec<SpanMetrics>,
}

/// What a sentence's words are labelled, and what a model labels them.
pub(crate) type Labelled<'l> = (Vec<&'l str>, Vec<&'l str>);

impl TaggingMetrics {
    /// Of sentences, each with its true labels and a model's.
    pub(crate) fn of(sentences: &[Labelled<'_>], loss: f64) -> Self {
        // Of each type: how many are true, found, and both.
        let mut counts = BTreeMap::<String, [usize; 3]>::new();
        let (mut words, mut right) = (0, 0);
        for (truth, found) in sentences {
            words += truth.len();
            right += truth.iter().zip(found).filter(|(a, b)| a == b).count();
            let truth: BTreeSet<_> = spans(truth.iter().copied()).into_iter().collect();
            let found: BTreeSet<_> = spans(found.iter().copied()).into_iter().collect();
            for (of, at) in [(&truth, 0), (&found, 1)] {
                of.iter().for_each(|span| counts.entry(span.kind.clone()).or_default()[at] += 1);
            }
            for span in truth.intersection(&found) {
                counts.entry(span.kind.clone()).or_default()[2] += 1;
            }
        }
        let metrics = |name: &str, [truth, found, both]: [usize; 3]| {
            let share = |of: usize| both as f64 / of.max(1) as f64;
            let (precision, recall) = (share(found), share(truth));
            let f1 = 2. * both as f64 / (truth + found).max(1) as f64;
            SpanMetrics { name: name.into(), precision, recall, f1, support: truth }
        };
        let all = counts.values().fold([0; 3], |a, b| [a[0] + b[0], a[1] + b[1], a[2] + b[2]]);
        let all = metrics("", all);
        let types: Vec<_> = counts.iter().map(|(name, counts)| metrics(name, *counts)).collect();
        Self {
            samples: sentences.len(),
            loss,
            span_f1: all.f1,
            precision: all.precision,
            recall: all.recall,
            macro_f1: types.iter().map(|of| of.f1).sum::<f64>() / types.len().max(1) as f64,
            word_accuracy: right as f64 / words.max(1) as f64,
            words,
            types,
        }
    }
}

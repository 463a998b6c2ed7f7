//! Metrics of labelled words: the F1 of spans, as `seqeval` counts them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::bootstrap::resampled;
use crate::task::tags::Scheme;

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

/// Metrics of labelled words. Where labels have no prefixes and no `O`, as those of parts of speech,
/// each word is a span of its own: then all that is told of spans is told of words, and the F1 of all
/// is the fraction of words whose label is right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaggingMetrics {
    /// The number of samples.
    pub samples: usize,
    /// The mean cross-entropy of words, in nats.
    pub loss: f64,
    /// The F1 of all spans together (micro).
    pub span_f1: f64,
    /// Its 95 % interval, from 1,000 bootstrap samples of the sentences; `None`: too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_f1_interval: Option<[f64; 2]>,
    /// Of the spans found, the fraction that is right.
    pub precision: f64,
    /// Of the spans there are, the fraction that is found.
    pub recall: f64,
    /// The mean F1 over the types of spans.
    pub macro_f1: f64,
    /// The mean precision over the types of spans.
    #[serde(default)]
    pub macro_precision: f64,
    /// The mean recall over the types of spans.
    #[serde(default)]
    pub macro_recall: f64,
    /// The mean F1 over the types of spans, each as often as it occurs.
    #[serde(default)]
    pub weighted_f1: f64,
    /// The mean precision likewise.
    #[serde(default)]
    pub weighted_precision: f64,
    /// The mean recall likewise.
    #[serde(default)]
    pub weighted_recall: f64,
    /// The fraction of words whose label is right.
    pub word_accuracy: f64,
    /// The number of words.
    pub words: usize,
    /// How many of them a model says nothing of, for there is nothing of them in its input; they are
    /// taken to be in no span.
    #[serde(default)]
    pub unanswered: usize,
    /// How the labels tell what belongs together.
    #[serde(default)]
    pub scheme: Scheme,
    /// How many of a model's labels break that, and were repaired.
    #[serde(default)]
    pub repaired: usize,
    /// By type, in order of the names.
    pub types: Vec<SpanMetrics>,
}

/// What a sentence's words are labelled, and what a model labels them.
pub(crate) type Labelled<'l> = (Vec<&'l str>, Vec<&'l str>);

/// How many spans are true, found, and both.
type Counts = [usize; 3];

impl TaggingMetrics {
    /// Of sentences, each with its true labels and a model's. All `labels` of the model tell what is
    /// counted, so that it is the same for each split.
    pub(crate) fn of(
        labels: &[String],
        sentences: &[Labelled<'_>],
        loss: f64,
        unanswered: usize,
    ) -> Self {
        let truths: Vec<&[&str]> = sentences.iter().map(|(truth, _)| &truth[..]).collect();
        let scheme = Scheme::of_labelled(labels.iter().map(String::as_str), &truths);
        let mut counts = BTreeMap::<String, Counts>::new();
        let (mut words, mut right, mut repaired) = (0, 0, 0);
        let mut of_sentences = Vec::with_capacity(sentences.len());
        for (truth, found) in sentences {
            words += truth.len();
            right += truth.iter().zip(found).filter(|(a, b)| a == b).count();
            repaired += scheme.broken(found);
            let truth: BTreeSet<_> = scheme.spans(truth.iter().copied()).into_iter().collect();
            let found: BTreeSet<_> = scheme.spans(found.iter().copied()).into_iter().collect();
            for (of, at) in [(&truth, 0), (&found, 1)] {
                of.iter().for_each(|span| counts.entry(span.kind.clone()).or_default()[at] += 1);
            }
            let both = truth.intersection(&found);
            let both = both.inspect(|span| counts.entry(span.kind.clone()).or_default()[2] += 1);
            of_sentences.push([truth.len(), found.len(), both.count()]);
        }
        let all = metrics("", sum(of_sentences.iter().copied()));
        let types: Vec<_> = counts.iter().map(|(name, counts)| metrics(name, *counts)).collect();
        let mean = |value: fn(&SpanMetrics) -> f64, weight: fn(&SpanMetrics) -> usize| {
            let sum = types.iter().map(|of| value(of) * weight(of) as f64).sum::<f64>();
            sum / types.iter().map(weight).sum::<usize>().max(1) as f64
        };
        let each = |value: fn(&SpanMetrics) -> f64| mean(value, |_| 1);
        let weighted = |value: fn(&SpanMetrics) -> f64| mean(value, |of| of.support);
        let f1 = |of: &SpanMetrics| of.f1;
        let precision = |of: &SpanMetrics| of.precision;
        let recall = |of: &SpanMetrics| of.recall;
        Self {
            samples: sentences.len(),
            loss,
            span_f1: all.f1,
            span_f1_interval: interval(&of_sentences),
            precision: all.precision,
            recall: all.recall,
            macro_f1: each(f1),
            macro_precision: each(precision),
            macro_recall: each(recall),
            weighted_f1: weighted(f1),
            weighted_precision: weighted(precision),
            weighted_recall: weighted(recall),
            word_accuracy: right as f64 / words.max(1) as f64,
            words,
            unanswered,
            scheme,
            repaired,
            types,
        }
    }
}

fn sum(counts: impl Iterator<Item = Counts>) -> Counts {
    counts.fold([0; 3], |a, b| [a[0] + b[0], a[1] + b[1], a[2] + b[2]])
}

fn metrics(name: &str, [truth, found, both]: Counts) -> SpanMetrics {
    let share = |of: usize| both as f64 / of.max(1) as f64;
    let (precision, recall) = (share(found), share(truth));
    let f1 = 2. * both as f64 / (truth + found).max(1) as f64;
    SpanMetrics { name: name.into(), precision, recall, f1, support: truth }
}

/// The interval of the F1 over sentences.
fn interval(sentences: &[Counts]) -> Option<[f64; 2]> {
    let f1 = |drawn: &mut dyn Iterator<Item = Counts>| [metrics("", sum(drawn)).f1];
    resampled(sentences, f1).map(|[interval]| interval)
}

#[cfg(test)]
mod tests;

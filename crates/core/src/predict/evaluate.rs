//! How good a model is on labelled samples.

use super::score::score_feed;
use crate::error::Result;
use crate::loader::{BatchSource, RawInputs, Samples};
use crate::modality::Modality;
use crate::model::Model;
use crate::task::ctc::Decoder;
use crate::task::{MetricAccumulator, Metrics};

/// Evaluates a model on all samples, `batch_size` at a time. No gradients, no dropout. Texts are those
/// of the most probable symbols.
///
/// # Errors
/// If a sample can no longer be read, or if the model's answer to one is no number.
pub fn evaluate<M: Modality>(
    model: &Model,
    modality: &M,
    samples: &Samples,
    batch_size: usize,
) -> Result<Metrics> {
    evaluate_with(model, modality, samples, batch_size, &Decoder::Greedy)
}

/// The same, with another way from scores to texts.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_with<M: Modality>(
    model: &Model,
    modality: &M,
    samples: &Samples,
    batch_size: usize,
    decoder: &Decoder,
) -> Result<Metrics> {
    measure(model, &RawInputs { modality, samples }, batch_size, decoder)
}

/// The same of what flows through a cut.
pub(crate) fn evaluate_feed(
    model: &Model,
    feed: &dyn BatchSource,
    batch_size: usize,
) -> Result<Metrics> {
    measure(model, feed, batch_size, &Decoder::Greedy)
}

fn measure(
    model: &Model,
    feed: &dyn BatchSource,
    batch_size: usize,
    decoder: &Decoder,
) -> Result<Metrics> {
    let mut tally = MetricAccumulator::new(model.spec().task_config(), decoder);
    let samples = feed.samples();
    score_feed(model, feed, batch_size, |chosen, answers| {
        let targets = chosen.iter().map(|&at| &samples.targets()[at]);
        tally.add(answers, targets, chosen.iter().map(|&at| samples.group(at)))
    })?;
    Ok(tally.finish())
}

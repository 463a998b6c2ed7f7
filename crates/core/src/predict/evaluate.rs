//! How good a model is on labelled samples.

use super::score::score_feed;
use crate::error::Result;
use crate::loader::{BatchSource, RawInputs, Samples};
use crate::modality::Modality;
use crate::model::Model;
use crate::task::{MetricAccumulator, Metrics};

/// Evaluates a model on all samples, `batch_size` at a time. No gradients, no dropout.
///
/// # Errors
/// If a sample can no longer be read, or if the model's answer to one is no number.
pub fn evaluate<M: Modality>(
    model: &Model,
    modality: &M,
    samples: &Samples,
    batch_size: usize,
) -> Result<Metrics> {
    evaluate_feed(model, &RawInputs { modality, samples }, batch_size)
}

/// The same of what flows through a cut.
pub(crate) fn evaluate_feed(
    model: &Model,
    feed: &dyn BatchSource,
    batch_size: usize,
) -> Result<Metrics> {
    let (mut tally, targets) =
        (MetricAccumulator::new(model.spec().task_config()), feed.samples().targets());
    score_feed(model, feed, batch_size, |chosen, answers| {
        tally.add(answers, chosen.iter().map(|&at| &targets[at]))
    })?;
    Ok(tally.finish())
}

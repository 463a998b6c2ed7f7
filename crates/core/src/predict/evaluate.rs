//! How good a model is on labelled samples.

use super::score::score_lists;
use crate::distributed::{World, several};
use crate::error::{Error, Result};
use crate::loader::{BatchSource, RawInputs, Samples, ordered, stretches};
use crate::modality::Modality;
use crate::model::Model;
use crate::task::ctc::Decoder;
use crate::task::{Judged, MetricAccumulator, Metrics};

/// Evaluates a model on all samples, `batch_size` at a time. No gradients, no dropout. Texts are those
/// of the most probable symbols. Processes that [train together](crate::distributed) take every so many
/// batches each, and all of them have the metrics of all, the same as of one alone.
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
    if let Some(world) = several() {
        for (chosen, judged) in judged_by_all(world, model, feed, batch_size, &tally)? {
            let targets = chosen.iter().map(|&at| &samples.targets()[at]);
            tally.take(judged, targets, chosen.iter().map(|&at| samples.group(at)));
        }
        return Ok(tally.finish());
    }
    let lists = stretches(samples, batch_size).concat();
    score_lists(model, feed, &lists, batch_size, |chosen, answers| {
        let targets = chosen.iter().map(|&at| &samples.targets()[at]);
        tally.add(&answers, targets, chosen.iter().map(|&at| samples.group(at)))
    })?;
    Ok(tally.finish())
}

/// The samples in batches, in the order of one process, each with what its answers come to: of every process's batches.
fn judged_by_all(
    world: &World,
    model: &Model,
    feed: &dyn BatchSource,
    batch_size: usize,
    tally: &MetricAccumulator<'_>,
) -> Result<Vec<(Vec<usize>, Judged)>> {
    let samples = feed.samples();
    let lists = stretches(samples, batch_size).concat();
    let own: Vec<_> = lists.iter().skip(world.rank()).step_by(world.size()).cloned().collect();
    let mut judged = vec![];
    score_lists(model, feed, &own, batch_size, |chosen, answers| {
        let targets = chosen.iter().map(|&at| &samples.targets()[at]);
        judged.push((chosen.to_vec(), tally.judge(&answers, targets)?));
        Ok(())
    })?;
    let unread = |e: serde_json::Error| Error::Distributed {
        problem: format!("what another process has evaluated cannot be read: {e}"),
    };
    let mut all: Vec<(Vec<usize>, Judged)> = vec![];
    for one in world.gather(&serde_json::to_vec(&judged).map_err(unread)?)? {
        all.extend(serde_json::from_slice::<Vec<_>>(&one).map_err(unread)?);
    }
    Ok(ordered(&lists, all))
}

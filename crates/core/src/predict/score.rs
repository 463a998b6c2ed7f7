//! A model's answers on samples.

use tch::{Device, Kind, Tensor};

use super::rows::{check_finite, per_sample};
use super::sequences::sequences;
use crate::error::Result;
use crate::loader::{
    BatchSource, Mode, PreparedBatch, RawInputs, Samples, load_batches, stretches,
};
use crate::modality::Modality;
use crate::model::{Model, Passed};
use crate::task::{Scores, Target, Task, TaskConfig};

/// Hands a model's scores of all samples to `consume`, with the samples that they are of, in order: many
/// batches of `batch_size` at a time, in each of which samples are about as long as each other. Without
/// gradients or dropout. Of a sample in several windows, the probabilities or the values are averaged, and
/// sequences are joined.
///
/// # Errors
/// If a sample can no longer be read, if the model's answer to one is no number, or the first error of
/// `consume`.
pub fn score<M: Modality>(
    model: &Model,
    modality: &M,
    samples: &Samples,
    batch_size: usize,
    mut consume: impl FnMut(&[usize], &Scores) -> Result<()>,
) -> Result<()> {
    let stretches = stretches(samples, batch_size);
    let mut ends = stretches.iter().map(Vec::len);
    let (mut left, mut done) = (ends.next(), vec![]);
    let feed = RawInputs { modality, samples };
    score_lists(model, &feed, &stretches.concat(), batch_size, |chosen, scores| {
        done.push((chosen.to_vec(), scores));
        if Some(done.len()) == left {
            left = ends.next();
            let (chosen, scores) = in_order(std::mem::take(&mut done))?;
            consume(&chosen, &scores)?;
        }
        Ok(())
    })
}

/// The scores of several batches in the order of their samples.
fn in_order(batches: Vec<(Vec<usize>, Scores)>) -> Result<(Vec<usize>, Scores)> {
    let (mut chosen, mut rows, mut sequences) = (vec![], vec![], vec![]);
    for (samples, scores) in batches {
        chosen.extend(samples);
        match scores {
            Scores::Rows(one) => rows.push(one),
            Scores::Sequences(several) => sequences.extend(several),
        }
    }
    let mut order: Vec<usize> = (0..chosen.len()).collect();
    order.sort_by_key(|&at| chosen[at]);
    let scores = if rows.is_empty() {
        Scores::Sequences(order.iter().map(|&at| sequences[at].shallow_clone()).collect())
    } else {
        let index: Vec<i64> = order.iter().map(|&at| at as i64).collect();
        Scores::Rows(Tensor::f_cat(&rows, 0)?.index_select(0, &Tensor::from_slice(&index)))
    };
    chosen.sort_unstable();
    Ok((chosen, scores))
}

/// Hands the scores of some samples to `consume`, a batch at a time.
pub(super) fn score_lists(
    model: &Model,
    feed: &dyn BatchSource,
    lists: &[Vec<usize>],
    batch_size: usize,
    mut consume: impl FnMut(&[usize], Scores) -> Result<()>,
) -> Result<()> {
    let (config, model) = (model.spec().task_config(), model.classifier());
    load_batches(feed, lists, Mode::Eval, model.device(), |chosen, prepared| {
        let passed = prepared.chunks(feed, batch_size, model.device()).map(|(batch, positions)| {
            let cut = feed.cut_point();
            let logits = tch::no_grad(|| model.forward_from(&batch, cut, false));
            Passed { logits, positions }
        });
        consume(chosen, scores_of(config, feed.samples(), (chosen, &prepared), passed)?)
    })
}

/// The scores of samples, of what a model made of the rows of their batch.
pub(super) fn scores_of(
    config: TaskConfig<'_>,
    samples: &Samples,
    (chosen, prepared): (&[usize], &PreparedBatch),
    passed: impl Iterator<Item = Passed>,
) -> Result<Scores> {
    let task = config.task;
    if task.is_sequence() {
        let words = |&at: &usize| match &samples.targets()[at] {
            Target::Tags(tags) => tags.len(),
            _ => 0,
        };
        let words: Vec<usize> = chosen.iter().map(words).collect();
        let all = sequences(config, &words, prepared, passed)?;
        for (scores, at) in all.iter().zip(chosen) {
            check_finite(&scores.view([1, -1]), &[*at], samples)?;
        }
        return Ok(Scores::Sequences(all));
    }
    let logits: Vec<Tensor> = passed.map(|one| one.logits.x.to_device(Device::Cpu)).collect();
    let logits = Tensor::cat(&logits, 0);
    let answers = match task {
        Task::SingleLabel => logits.log_softmax(-1, Kind::Float),
        _ => logits.to_kind(Kind::Float),
    };
    let answers = per_sample(answers, &prepared.rows, |part| mean(task, part));
    check_finite(&answers, chosen, samples)?;
    Ok(Scores::Rows(answers))
}

/// The mean over windows, `[windows, answers]`.
fn mean(task: Task, answers: &Tensor) -> Tensor {
    let windows = (answers.size()[0] as f64).ln();
    // Of probabilities, whose logarithms these are.
    let mean = |logs: Tensor| logs.logsumexp([0].as_slice(), false) - windows;
    match task {
        Task::SingleLabel => mean(answers.shallow_clone()),
        Task::MultiLabel => mean(answers.log_sigmoid()) - mean((-answers).log_sigmoid()),
        _ => answers.mean_dim([0].as_slice(), false, Kind::Float),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_come_in_the_order_of_the_samples() -> Result<()> {
        let row = |values: &[f32]| Tensor::from_slice(values).view([-1, 1]);
        let batches = vec![
            (vec![7, 4], Scores::Rows(row(&[0.7, 0.4]))),
            (vec![5], Scores::Rows(row(&[0.5]))),
        ];
        let (chosen, scores) = in_order(batches)?;
        let Scores::Rows(rows) = scores else { panic!("{scores:?}") };
        assert_eq!(
            (chosen, Vec::<f32>::try_from(rows.view(-1))?),
            (vec![4, 5, 7], vec![0.4, 0.5, 0.7])
        );
        let long = |length| Tensor::zeros([length, 2], (Kind::Float, Device::Cpu));
        let batches = vec![
            (vec![9, 8], Scores::Sequences(vec![long(9), long(8)])),
            (vec![3], Scores::Sequences(vec![long(3)])),
        ];
        let (chosen, scores) = in_order(batches)?;
        let positions: Vec<_> = (0..3).map(|at| scores.positions(at)).collect();
        assert_eq!((chosen, positions), (vec![3, 8, 9], vec![3, 8, 9]));
        Ok(())
    }

    #[test]
    fn windows_are_averaged_as_probabilities_or_values() {
        let windows = Tensor::from_slice(&[0.9f64, 0.2, 0.5, 0.4]).view([2, 2]);
        let log_odds = mean(Task::MultiLabel, &windows.logit(None::<f64>).to_kind(Kind::Float));
        let means = Vec::<f64>::try_from(log_odds.sigmoid().to_kind(Kind::Double)).unwrap();
        assert!((means[0] - 0.7).abs() < 1e-6 && (means[1] - 0.3).abs() < 1e-6, "{means:?}");
        let values = mean(Task::Regression, &windows);
        let values = Vec::<f64>::try_from(values.to_kind(Kind::Double)).unwrap();
        assert!((values[0] - 0.7).abs() < 1e-6 && (values[1] - 0.3).abs() < 1e-6, "{values:?}");
    }
}

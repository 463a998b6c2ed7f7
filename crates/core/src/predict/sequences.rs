//! A model's answers at the positions of samples, of which windows are joined.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use super::rows::chunks;
use crate::error::Result;
use crate::loader::{PreparedBatch, RowPart};
use crate::nn::{Batch, Classifier, CutPoint, Logits};
use crate::task::{Task, WordPositions, at_words};

/// The scores of each sample of a batch: the logarithms of the probabilities at every position, `[T,
/// answers]`, or of every word, `[W, answers]`, f32 on the CPU.
pub(super) fn sequences(
    model: &Classifier,
    task: Task,
    prepared: &PreparedBatch,
    cut: CutPoint,
    at_once: usize,
) -> Result<Vec<Tensor>> {
    joined(model, task, prepared, at_once, |batch| {
        let Logits { x, attention_mask } = model.forward_from(batch, cut, false);
        Logits { x: x.log_softmax(-1, Kind::Float), attention_mask }
    })
}

/// What `compute` makes of the positions or the words of each sample of a batch, `[T, …]` or `[W, …]` on
/// the CPU.
pub(super) fn joined(
    model: &Classifier,
    task: Task,
    prepared: &PreparedBatch,
    at_once: usize,
    compute: impl Fn(&Batch) -> Logits,
) -> Result<Vec<Tensor>> {
    let compute = |batch: &Batch| {
        let Logits { x, attention_mask } = compute(batch);
        let lengths =
            attention_mask.map(|mask| mask.sum_dim_intlist([1].as_slice(), false, Kind::Int64));
        (x.to_device(Device::Cpu), lengths)
    };
    let mut rows = vec![];
    for (logs, lengths) in chunks(&prepared.batch, at_once, model.device(), compute) {
        let lengths = match lengths {
            Some(lengths) => Vec::<i64>::try_from(lengths)?,
            None => vec![logs.size()[1]; logs.size()[0] as usize],
        };
        rows.extend(logs.unbind(0).into_iter().zip(lengths));
    }
    let mut rows = rows.into_iter().zip(&prepared.parts);
    let sample = |&count: &i64| {
        let rows = rows.by_ref().take(count as usize);
        match task {
            Task::Tagging => words(rows, prepared.positions),
            _ => positions(rows),
        }
    };
    Ok(prepared.rows.iter().map(sample).collect())
}

/// The positions of all windows of a sample, each without what another answers for.
fn positions<'p>(rows: impl Iterator<Item = ((Tensor, i64), &'p RowPart)>) -> Tensor {
    let kept = rows.map(|((logs, length), part)| {
        let [from, behind] = part.cut.map(|share| (share * length as f64).round() as i64);
        logs.narrow(0, from, (length - from - behind).max(0))
    });
    Tensor::cat(&kept.collect::<Vec<_>>(), 0)
}

/// The words of all windows of a sample, in order.
fn words<'p>(rows: impl Iterator<Item = ((Tensor, i64), &'p RowPart)>, of: i64) -> Tensor {
    let mut words = BTreeMap::new();
    for ((logs, _), part) in rows {
        let starts: Vec<i64> = part.words.iter().map(|word| word.position).collect();
        let starts = WordPositions { starts: Tensor::from_slice(&starts).unsqueeze(0), of };
        let answers = at_words(&logs.unsqueeze(0), &starts).squeeze_dim(0);
        words.extend(part.words.iter().map(|word| word.word).zip(answers.unbind(0)));
    }
    Tensor::stack(&words.into_values().collect::<Vec<_>>(), 0)
}

//! A model's answers at the positions of samples, of which windows are joined.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use crate::error::Result;
use crate::loader::{BatchSource, PreparedBatch, RowPart};
use crate::nn::{Batch, Classifier, Logits};
use crate::task::{Task, WordPositions, at_words};

/// The scores of each sample of a batch of `source`: the logarithms of the probabilities at every
/// position, `[T, answers]`, or of every word, `[W, answers]`, f32 on the CPU.
pub(super) fn sequences(
    model: &Classifier,
    task: Task,
    prepared: &PreparedBatch,
    source: &dyn BatchSource,
    at_once: usize,
) -> Result<Vec<Tensor>> {
    let compute = |batch: &Batch| {
        let Logits { x, attention_mask } = model.forward_from(batch, source.cut_point(), false);
        let lengths =
            attention_mask.map(|mask| mask.sum_dim_intlist([1].as_slice(), false, Kind::Int64));
        (x.log_softmax(-1, Kind::Float).to_device(Device::Cpu), lengths)
    };
    let mut rows = vec![];
    for (batch, of) in prepared.chunks(source, at_once, model.device()) {
        let (logs, lengths) = tch::no_grad(|| compute(&batch));
        let lengths = match lengths {
            Some(lengths) => Vec::<i64>::try_from(lengths)?,
            None => vec![logs.size()[1]; logs.size()[0] as usize],
        };
        let row = |(logs, length)| Row { logs, length, of };
        rows.extend(logs.unbind(0).into_iter().zip(lengths).map(row));
    }
    let mut rows = rows.into_iter().zip(&prepared.parts);
    let sample = |&count: &i64| {
        let rows = rows.by_ref().take(count as usize);
        match task {
            Task::Tagging => words(rows),
            _ => positions(rows),
        }
    };
    Ok(prepared.rows.iter().map(sample).collect())
}

/// The answers of one row.
struct Row {
    /// `[T, answers]`.
    logs: Tensor,
    /// How many of the positions hold data.
    length: i64,
    /// How many positions the inputs of its batch had.
    of: i64,
}

/// The positions of all windows of a sample, each without what another answers for.
fn positions<'p>(rows: impl Iterator<Item = (Row, &'p RowPart)>) -> Tensor {
    let kept = rows.map(|(Row { logs, length, .. }, part)| {
        let [from, behind] = part.cut.map(|share| (share * length as f64).round() as i64);
        logs.narrow(0, from, (length - from - behind).max(0))
    });
    Tensor::cat(&kept.collect::<Vec<_>>(), 0)
}

/// The words of all windows of a sample, in order.
fn words<'p>(rows: impl Iterator<Item = (Row, &'p RowPart)>) -> Tensor {
    let mut words = BTreeMap::new();
    for (Row { logs, of, .. }, part) in rows {
        let starts: Vec<i64> = part.words.iter().map(|word| word.position).collect();
        let starts = WordPositions { starts: Tensor::from_slice(&starts).unsqueeze(0), of };
        let answers = at_words(&logs.unsqueeze(0), &starts).squeeze_dim(0);
        words.extend(part.words.iter().map(|word| word.word).zip(answers.unbind(0)));
    }
    Tensor::stack(&words.into_values().collect::<Vec<_>>(), 0)
}

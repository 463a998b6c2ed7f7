//! A model's answers at the positions of samples, of which windows are joined.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor};

use crate::error::Result;
use crate::loader::{BatchSource, PreparedBatch, RowPart};
use crate::model::Passed;
use crate::nn::{Batch, Classifier, Logits};
use crate::task::{Task, TaskConfig, WordPositions, at_words, unanswered};

/// The scores of each sample of a batch, of what a model made of its rows: the logarithms of the
/// probabilities at every position, `[T, answers]`, or of every word, `[W, answers]`, f32 on the CPU.
/// `words` tells how many words each sample has at least.
pub(super) fn sequences(
    config: TaskConfig<'_>,
    words: &[usize],
    prepared: &PreparedBatch,
    passed: impl Iterator<Item = Passed>,
) -> Result<Vec<Tensor>> {
    let all = rows(passed.map(|Passed { logits: Logits { x, attention_mask }, positions }| {
        let logits = Logits { x: x.log_softmax(-1, Kind::Float), attention_mask };
        Passed { logits, positions }
    }))?;
    let mut rows = all.into_iter().zip(&prepared.parts);
    let sample = |(&count, &words): (&i64, &usize)| {
        let rows = rows.by_ref().take(count as usize);
        match config.task {
            Task::Tagging => of_words(rows, words, config.labels),
            _ => positions(rows),
        }
    };
    Ok(prepared.rows.iter().zip(words).map(sample).collect())
}

/// What `compute` makes at the positions of each row of a batch of `source`.
pub(super) fn at_positions(
    model: &Classifier,
    prepared: &PreparedBatch,
    source: &dyn BatchSource,
    at_once: usize,
    compute: impl Fn(&Batch) -> Logits,
) -> Result<Vec<Row>> {
    let chunks = prepared.chunks(source, at_once, model.device());
    rows(chunks.map(|(batch, positions)| {
        let logits = tch::no_grad(|| compute(&batch));
        Passed { logits, positions }
    }))
}

/// One row after the other.
fn rows(passed: impl Iterator<Item = Passed>) -> Result<Vec<Row>> {
    let mut rows = vec![];
    for Passed { logits: Logits { x, attention_mask }, positions: of } in passed {
        let x = x.to_device(Device::Cpu);
        let lengths = match attention_mask {
            Some(mask) => {
                Vec::<i64>::try_from(mask.sum_dim_intlist([1].as_slice(), false, Kind::Int64))?
            }
            None => vec![x.size()[1]; x.size()[0] as usize],
        };
        let row = |(x, length)| Row { x, length, of };
        rows.extend(x.unbind(0).into_iter().zip(lengths).map(row));
    }
    Ok(rows)
}

/// What there is at the positions of one row.
pub(super) struct Row {
    /// `[T, …]` on the CPU.
    x: Tensor,
    /// How many of the positions hold data.
    length: i64,
    /// How many positions the inputs of its batch had.
    of: i64,
}

/// The positions of all windows of a sample, each without what another answers for.
pub(super) fn positions<'p>(rows: impl Iterator<Item = (Row, &'p RowPart)>) -> Tensor {
    let kept = rows.map(|(Row { x, length, .. }, part)| {
        let [from, behind] = part.cut.map(|share| (share * length as f64).round() as i64);
        x.narrow(0, from, (length - from - behind).max(0))
    });
    Tensor::cat(&kept.collect::<Vec<_>>(), 0)
}

/// What is at the beginning of each word of a sample that one of its windows has.
pub(super) fn words<'p>(rows: impl Iterator<Item = (Row, &'p RowPart)>) -> BTreeMap<usize, Tensor> {
    let mut words = BTreeMap::new();
    for (Row { x, of, .. }, part) in rows.filter(|(_, part)| !part.words.is_empty()) {
        let starts: Vec<i64> = part.words.iter().map(|word| word.position).collect();
        let starts = WordPositions { starts: Tensor::from_slice(&starts).unsqueeze(0), of };
        let at_starts = at_words(&x.unsqueeze(0), &starts).squeeze_dim(0);
        words.extend(part.words.iter().map(|word| word.word).zip(at_starts.unbind(0)));
    }
    words
}

/// The words of all windows of a sample, in order: at least `least`, of which those that no window has
/// are [unanswered].
fn of_words<'p>(
    rows: impl Iterator<Item = (Row, &'p RowPart)>,
    least: usize,
    labels: &[String],
) -> Tensor {
    let mut words = words(rows);
    let count = words.last_key_value().map_or(1, |(last, _)| last + 1).max(least);
    let word = |at| words.remove(&at).unwrap_or_else(|| unanswered(labels));
    Tensor::stack(&(0..count).map(word).collect::<Vec<_>>(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::WordStart;

    #[test]
    fn a_word_without_a_piece_keeps_its_place() {
        let labels = ["B-a", "O"].map(str::to_string);
        let logs = Tensor::from_slice(&[0.9f32, 0.1, 0.2, 0.8, 0.7, 0.3]).view([3, 2]).log();
        let words = [(1, 0), (3, 2)].map(|(word, position)| WordStart { word, position }).to_vec();
        let part = RowPart { cut: [0.; 2], words };
        let best = |least, part: &RowPart| {
            let row = Row { x: logs.shallow_clone(), length: 3, of: 3 };
            let scores = of_words([(row, part)].into_iter(), least, &labels);
            Vec::<i64>::try_from(scores.argmax(-1, false)).unwrap()
        };
        assert_eq!(best(5, &part), [1, 0, 1, 0, 1], "the first, the third and the last have none");
        assert_eq!(best(0, &part), [1, 0, 1, 0]);
        let none = RowPart { cut: [0.; 2], words: vec![] };
        assert_eq!((best(2, &none), best(0, &none)), (vec![1, 1], vec![1]));
    }

    #[test]
    fn windows_share_a_sample_and_its_words() {
        let labels = ["B-a", "O"].map(str::to_string);
        let logs = |a: f32, b: f32| Tensor::from_slice(&[a, 1. - a, b, 1. - b]).view([2, 2]).log();
        let part = |words: [(usize, i64); 2]| RowPart {
            cut: [0.; 2],
            words: words.map(|(word, position)| WordStart { word, position }).to_vec(),
        };
        let (first, second) = (part([(0, 0), (1, 1)]), part([(2, 0), (3, 1)]));
        let row = |x| Row { x, length: 2, of: 2 };
        let rows = [(row(logs(0.9, 0.2)), &first), (row(logs(0.3, 0.8)), &second)];
        let scores = of_words(rows.into_iter(), 4, &labels);
        assert_eq!(Vec::<i64>::try_from(scores.argmax(-1, false)).unwrap(), [0, 1, 1, 0]);
    }
}

//! How good a classifier is.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::{
    Batch, Classifier, Cut, Modality, Result, Samples,
    feed::{self, Feed, Inputs, Purpose},
};

/// A classifier's result on labelled samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The number of samples.
    pub samples: usize,
    /// The share of right answers.
    pub accuracy: f64,
    /// The mean cross-entropy, in nats.
    pub loss: f64,
    /// The mean over the classes of the harmonic mean of precision and recall.
    pub macro_f1: f64,
    /// `confusion[true][predicted]`, in samples.
    pub confusion: Vec<Vec<u32>>,
}

impl Evaluation {
    /// Evaluates on all samples, `batch_size` at a time. No gradients, no dropout.
    ///
    /// # Errors
    /// If a sample can no longer be read.
    pub fn of<M: Modality>(
        model: &Classifier,
        modality: &M,
        samples: &Samples,
        classes: usize,
        batch_size: usize,
    ) -> Result<Self> {
        Self::of_feed(model, &Inputs { modality, samples }, classes, batch_size)
    }

    /// The same of what flows through a cut.
    pub(crate) fn of_feed(
        model: &Classifier,
        feed: &dyn Feed,
        classes: usize,
        batch_size: usize,
    ) -> Result<Self> {
        let samples = feed.samples();
        let (mut loss, mut confusion) = (0., vec![vec![0u32; classes]; classes]);
        score_feed(model, feed, batch_size, |chosen, scores| {
            let targets: Vec<i64> = chosen.iter().map(|&at| samples.targets()[at]).collect();
            let mean = scores.nll_loss(&Tensor::from_slice(&targets)).double_value(&[]);
            loss += mean * targets.len() as f64;
            let answers = Vec::<i64>::try_from(scores.argmax(-1, false))?;
            for (truth, answer) in targets.into_iter().zip(answers) {
                confusion[truth as usize][answer as usize] += 1;
            }
            Ok(())
        })?;
        Ok(Self::from_confusion(confusion, loss / samples.len().max(1) as f64))
    }

    fn from_confusion(confusion: Vec<Vec<u32>>, loss: f64) -> Self {
        let classes = confusion.len();
        let samples: u32 = confusion.iter().flatten().sum();
        let right = |c: usize| f64::from(confusion[c][c]);
        let f1 = |c: usize| {
            let truth: u32 = confusion[c].iter().sum();
            let answered: u32 = confusion.iter().map(|row| row[c]).sum();
            // A class that neither occurs nor is answered says nothing about the model.
            (truth + answered > 0).then(|| 2. * right(c) / f64::from(truth + answered))
        };
        let f1: Vec<f64> = (0..classes).filter_map(f1).collect();
        Self {
            samples: samples as usize,
            accuracy: (0..classes).map(right).sum::<f64>() / f64::from(samples.max(1)),
            loss,
            macro_f1: f1.iter().sum::<f64>() / f1.len().max(1) as f64,
            confusion,
        }
    }
}

/// Hands the logarithms of the probabilities of all classes, `[samples, classes]`, f32 on the CPU, to
/// `consume`, with the samples that they are of, in order: `batch_size` at a time, without gradients
/// or dropout. Of a sample in several windows, the probabilities are averaged.
///
/// # Errors
/// If a sample can no longer be read, or the first error of `consume`.
pub fn score<M: Modality>(
    model: &Classifier,
    modality: &M,
    samples: &Samples,
    batch_size: usize,
    consume: impl FnMut(&[usize], &Tensor) -> Result<()>,
) -> Result<()> {
    score_feed(model, &Inputs { modality, samples }, batch_size, consume)
}

fn score_feed(
    model: &Classifier,
    feed: &dyn Feed,
    batch_size: usize,
    mut consume: impl FnMut(&[usize], &Tensor) -> Result<()>,
) -> Result<()> {
    let order: Vec<usize> = (0..feed.samples().len()).collect();
    let lists: Vec<_> = order.chunks(batch_size).map(<[_]>::to_vec).collect();
    feed::batches(feed, &lists, Purpose::Ask, |chosen, prepared| {
        let scores = scores(model, &prepared.batch, feed.cut(), batch_size as i64);
        let scores = if prepared.rows.iter().all(|&rows| rows == 1) {
            scores
        } else {
            let mean =
                |of: Tensor| of.logsumexp([0].as_slice(), false) - (of.size()[0] as f64).ln();
            let parts = scores.split_with_sizes(&prepared.rows, 0);
            Tensor::stack(&parts.into_iter().map(mean).collect::<Vec<_>>(), 0)
        };
        consume(chosen, &scores)
    })
}

/// The same of each row of a batch, `at_once` at a time.
fn scores(model: &Classifier, batch: &Batch, cut: Cut, at_once: i64) -> Tensor {
    let rows = batch.x.size()[0];
    let part = |from: i64| {
        let narrow = |x: &Tensor| x.narrow(0, from, at_once.min(rows - from));
        let part = Batch { x: narrow(&batch.x), keep: batch.keep.as_ref().map(narrow) };
        let logits = tch::no_grad(|| model.above(&part.to_device(model.device()), cut, false));
        logits.to_device(tch::Device::Cpu).log_softmax(-1, Kind::Float)
    };
    let step = usize::try_from(at_once).unwrap_or(1).max(1);
    Tensor::cat(&(0..rows).step_by(step).map(part).collect::<Vec<_>>(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against `sklearn.metrics.f1_score(average="macro")` on the same table.
    #[test]
    fn figures_follow_from_the_confusion() {
        let e = Evaluation::from_confusion(vec![vec![8, 2], vec![1, 9]], 0.5);
        assert_eq!(e.samples, 20);
        assert!((e.accuracy - 0.85).abs() < 1e-12);
        assert!((e.macro_f1 - 0.849_624_060_150_376).abs() < 1e-12);
    }
}

//! How good a classifier is.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::{Classifier, Modality, Samples};

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
    pub fn of<M: Modality>(
        model: &Classifier,
        modality: &M,
        samples: &Samples,
        classes: usize,
        batch_size: usize,
    ) -> Self {
        let (mut loss, mut confusion) = (0., vec![vec![0u32; classes]; classes]);
        let batches = samples.inputs.chunks(batch_size).zip(samples.targets.chunks(batch_size));
        for (inputs, targets) in batches {
            let batch = modality.batch(&inputs.iter().collect::<Vec<_>>());
            let logits = logits(model, &batch);
            let target = Tensor::from_slice(targets);
            loss +=
                logits.cross_entropy_for_logits(&target).double_value(&[]) * targets.len() as f64;
            let answers = Vec::<i64>::try_from(logits.argmax(-1, false)).unwrap_or_default();
            for (&truth, answer) in targets.iter().zip(answers) {
                confusion[truth as usize][answer as usize] += 1;
            }
        }
        Self::from_confusion(confusion, loss / samples.len().max(1) as f64)
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

/// Logits `[B, classes]` on the CPU, f32, without gradients or dropout.
pub fn logits(model: &Classifier, batch: &crate::Batch) -> Tensor {
    tch::no_grad(|| model.forward(&batch.to_device(model.device()), false))
        .to_device(tch::Device::Cpu)
        .to_kind(Kind::Float)
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

//! How good a model is.

mod multi_label;
mod regression;
mod single_label;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::{
    Batch, Classifier, Cut, Modality, Model, Objective, Result, Samples, Target, Task, TaskConfig,
    feed::{self, Feed, Inputs, Purpose},
    task::Scales,
};

pub use multi_label::{LabelFigures, MultiLabelFigures};
pub use regression::{RegressionFigures, ValueFigures};
pub use single_label::SingleLabelFigures;

/// A model's result on labelled samples. In a file it is its figures alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Evaluation {
    /// Of one class for each sample.
    SingleLabel(SingleLabelFigures),
    /// Of any number of labels.
    MultiLabel(MultiLabelFigures),
    /// Of numbers.
    Regression(RegressionFigures),
}

impl Evaluation {
    /// The number of samples.
    pub fn samples(&self) -> usize {
        match self {
            Self::SingleLabel(e) => e.samples,
            Self::MultiLabel(e) => e.samples,
            Self::Regression(e) => e.samples,
        }
    }

    /// The mean loss, as [`Objective::loss`] without weights and smoothing.
    pub fn loss(&self) -> f64 {
        match self {
            Self::SingleLabel(e) => e.loss,
            Self::MultiLabel(e) => e.loss,
            Self::Regression(e) => e.loss,
        }
    }

    /// The one figure that epochs are compared by, the greater the better: accuracy, the macro F1 of
    /// labels, the mean R² of values ([`Task::merit`]).
    pub fn merit(&self) -> f64 {
        match self {
            Self::SingleLabel(e) => e.accuracy,
            Self::MultiLabel(e) => e.macro_f1,
            Self::Regression(e) => e.r2,
        }
    }

    /// The share of answers that are right, all labels of a sample together; `None` of values.
    pub fn accuracy(&self) -> Option<f64> {
        match self {
            Self::SingleLabel(e) => Some(e.accuracy),
            Self::MultiLabel(e) => Some(e.exact_match),
            Self::Regression(_) => None,
        }
    }
}

/// Evaluates a model on all samples, `batch_size` at a time. No gradients, no dropout.
///
/// # Errors
/// If a sample can no longer be read.
pub fn evaluate<M: Modality>(
    model: &Model,
    modality: &M,
    samples: &Samples,
    batch_size: usize,
) -> Result<Evaluation> {
    evaluate_feed(model, &Inputs { modality, samples }, batch_size)
}

/// The same of what flows through a cut.
pub(crate) fn evaluate_feed(
    model: &Model,
    feed: &dyn Feed,
    batch_size: usize,
) -> Result<Evaluation> {
    let (mut tally, targets) = (Tally::new(model.spec().task_config()), feed.samples().targets());
    score_feed(model, feed, batch_size, |chosen, answers| {
        tally.add(answers, chosen.iter().map(|&at| &targets[at]))
    })?;
    Ok(tally.finish())
}

/// What answers come to, batch by batch.
#[derive(Debug)]
pub(crate) struct Tally<'s> {
    config: TaskConfig<'s>,
    objective: Objective,
    /// The sum over the samples.
    loss: f64,
    samples: usize,
    /// `confusion[true][predicted]`, of classes.
    confusion: Vec<Vec<u32>>,
    /// A row for each sample: answers to all labels or values.
    answers: Vec<Vec<f64>>,
    /// Likewise, what is true.
    truth: Vec<Target>,
}

impl<'s> Tally<'s> {
    pub(crate) fn new(config: TaskConfig<'s>) -> Self {
        let classes = if config.task == Task::SingleLabel { config.labels.len() } else { 0 };
        Self {
            config,
            objective: Objective::new(config, 0., tch::Device::Cpu),
            loss: 0.,
            samples: 0,
            confusion: vec![vec![0; classes]; classes],
            answers: vec![],
            truth: vec![],
        }
    }

    /// Adds a batch: `answers` `[B, answers]` as [`score`] hands them out.
    pub(crate) fn add<'t>(
        &mut self,
        answers: &Tensor,
        targets: impl Iterator<Item = &'t Target> + Clone,
    ) -> Result<()> {
        let stacked = Target::stack(targets.clone());
        let rows = answers.size()[0];
        self.samples += rows as usize;
        self.loss += self.objective.loss(answers, &stacked).double_value(&[]) * rows as f64;
        match self.config.task {
            Task::SingleLabel => {
                let answers = Vec::<i64>::try_from(answers.argmax(-1, false))?;
                for (truth, answer) in targets.zip(answers) {
                    let truth = truth.class().unwrap_or(0);
                    self.confusion[truth][answer as usize] += 1;
                }
            }
            Task::MultiLabel => self.keep(&answers.to_kind(Kind::Double).sigmoid(), targets)?,
            Task::Regression => {
                self.keep(&in_units(self.config, answers), targets)?;
            }
        }
        Ok(())
    }

    fn keep<'t>(
        &mut self,
        answers: &Tensor,
        targets: impl Iterator<Item = &'t Target>,
    ) -> Result<()> {
        self.answers.extend(Vec::<Vec<f64>>::try_from(answers.contiguous())?);
        self.truth.extend(targets.cloned());
        Ok(())
    }

    pub(crate) fn finish(self) -> Evaluation {
        let loss = self.loss / self.samples.max(1) as f64;
        let column = |at: usize| self.answers.iter().map(|row| row[at]).collect::<Vec<_>>();
        let labels = self.config.labels;
        match self.config.task {
            Task::SingleLabel => {
                Evaluation::SingleLabel(SingleLabelFigures::of(self.confusion, loss))
            }
            Task::MultiLabel => {
                let columns = labels.iter().enumerate().map(|(at, label)| {
                    let truth = self.truth.iter().map(|target| target.has(at)).collect();
                    (label.clone(), column(at), truth)
                });
                let columns = columns.collect::<Vec<_>>();
                Evaluation::MultiLabel(MultiLabelFigures::of(&columns, self.samples, loss))
            }
            Task::Regression => {
                let value = |target: &Target, at: usize| match target {
                    Target::Values(values) => values[at],
                    _ => f64::NAN,
                };
                let columns = labels.iter().enumerate().map(|(at, name)| {
                    let truth = self.truth.iter().map(|target| value(target, at)).collect();
                    (name.clone(), column(at), truth)
                });
                let columns = columns.collect::<Vec<_>>();
                Evaluation::Regression(RegressionFigures::of(&columns, self.samples, loss))
            }
        }
    }
}

/// What a model answers on values, `[B, values]`, in the values' own units, f64.
pub fn in_units(config: TaskConfig<'_>, answers: &Tensor) -> Tensor {
    match Scales::of(config, answers.device()) {
        Some(scales) => scales.undo(answers),
        None => answers.to_kind(Kind::Double),
    }
}

/// Hands a model's answers on all samples, `[samples, answers]`, f32 on the CPU, to `consume`, with the
/// samples that they are of, in order: `batch_size` at a time, without gradients or dropout. Answers
/// are the logarithms of the probabilities of all classes; of each label, the logarithm of its odds;
/// values, in deviations ([`in_units`]). Of a sample in several windows, the probabilities or the
/// values are averaged.
///
/// # Errors
/// If a sample can no longer be read, or the first error of `consume`.
pub fn score<M: Modality>(
    model: &Model,
    modality: &M,
    samples: &Samples,
    batch_size: usize,
    consume: impl FnMut(&[usize], &Tensor) -> Result<()>,
) -> Result<()> {
    score_feed(model, &Inputs { modality, samples }, batch_size, consume)
}

fn score_feed(
    model: &Model,
    feed: &dyn Feed,
    batch_size: usize,
    mut consume: impl FnMut(&[usize], &Tensor) -> Result<()>,
) -> Result<()> {
    let (task, model) = (model.spec().task, model.classifier());
    let order: Vec<usize> = (0..feed.samples().len()).collect();
    let lists: Vec<_> = order.chunks(batch_size).map(<[_]>::to_vec).collect();
    feed::batches(feed, &lists, Purpose::Ask, |chosen, prepared| {
        let logits = logits(model, &prepared.batch, feed.cut(), batch_size as i64);
        let answers = match task {
            Task::SingleLabel => logits.log_softmax(-1, Kind::Float),
            Task::MultiLabel | Task::Regression => logits.to_kind(Kind::Float),
        };
        let answers = if prepared.rows.iter().all(|&rows| rows == 1) {
            answers
        } else {
            let parts = answers.split_with_sizes(&prepared.rows, 0);
            Tensor::stack(&parts.iter().map(|part| mean(task, part)).collect::<Vec<_>>(), 0)
        };
        consume(chosen, &answers)
    })
}

/// The mean over windows, `[windows, answers]`.
fn mean(task: Task, answers: &Tensor) -> Tensor {
    let windows = (answers.size()[0] as f64).ln();
    // Of probabilities, whose logarithms these are.
    let mean = |logs: Tensor| logs.logsumexp([0].as_slice(), false) - windows;
    match task {
        Task::SingleLabel => mean(answers.shallow_clone()),
        Task::MultiLabel => mean(answers.log_sigmoid()) - mean((-answers).log_sigmoid()),
        Task::Regression => answers.mean_dim([0].as_slice(), false, Kind::Float),
    }
}

/// The logits of each row of a batch, `at_once` at a time.
fn logits(model: &Classifier, batch: &Batch, cut: Cut, at_once: i64) -> Tensor {
    let rows = batch.x.size()[0];
    let part = |from: i64| {
        let narrow = |x: &Tensor| x.narrow(0, from, at_once.min(rows - from));
        let part = Batch { x: narrow(&batch.x), keep: batch.keep.as_ref().map(narrow) };
        let logits = tch::no_grad(|| model.above(&part.to_device(model.device()), cut, false));
        logits.to_device(tch::Device::Cpu)
    };
    let step = usize::try_from(at_once).unwrap_or(1).max(1);
    Tensor::cat(&(0..rows).step_by(step).map(part).collect::<Vec<_>>(), 0)
}

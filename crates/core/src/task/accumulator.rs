//! From predictions, batch by batch, to metrics.

use tch::{Kind, Tensor};

use super::config::TaskConfig;
use super::loss::Objective;
use super::metrics::{
    ClassificationMetrics, Confusion, Metrics, MultiLabelMetrics, RegressionMetrics,
};
use super::target::Target;
use super::task::Task;
use crate::error::Result;

/// Accumulates the metrics of predictions, batch by batch.
#[derive(Debug)]
pub(crate) struct MetricAccumulator<'s> {
    config: TaskConfig<'s>,
    objective: Objective,
    /// The sum over the samples.
    loss: f64,
    samples: usize,
    /// Of classes.
    confusion: Confusion,
    /// Of labels or values: the predictions, a row for each sample.
    answers: Vec<Vec<f64>>,
    /// Of labels or values: the targets, a row for each sample.
    truth: Vec<Target>,
}

impl<'s> MetricAccumulator<'s> {
    pub(crate) fn new(config: TaskConfig<'s>) -> Self {
        let classes = if config.task == Task::SingleLabel { config.labels.len() } else { 0 };
        Self {
            config,
            objective: Objective::new(config, 0., tch::Device::Cpu),
            loss: 0.,
            samples: 0,
            confusion: Confusion::new(classes),
            answers: vec![],
            truth: vec![],
        }
    }

    /// Adds a batch: predictions `[B, answers]` as [`score`] returns them.
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
                    self.confusion.add(truth, answer as usize);
                }
            }
            Task::MultiLabel => self.keep(&answers.to_kind(Kind::Double).sigmoid(), targets)?,
            Task::Regression => {
                self.keep(&self.config.in_units(answers), targets)?;
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

    pub(crate) fn finish(self) -> Metrics {
        let loss = self.loss / self.samples.max(1) as f64;
        let column = |at: usize| self.answers.iter().map(|row| row[at]).collect::<Vec<_>>();
        let labels = self.config.labels;
        match self.config.task {
            Task::SingleLabel => {
                Metrics::SingleLabel(ClassificationMetrics::of(self.confusion, loss))
            }
            Task::MultiLabel => {
                let columns = labels.iter().enumerate().map(|(at, label)| {
                    let truth = self.truth.iter().map(|target| target.has(at)).collect();
                    (label.clone(), column(at), truth)
                });
                let columns = columns.collect::<Vec<_>>();
                Metrics::MultiLabel(MultiLabelMetrics::of(&columns, self.samples, loss))
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
                Metrics::Regression(RegressionMetrics::of(&columns, self.samples, loss))
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! What a model is asked: one class, several labels, or numbers; and the loss that teaches it.

use std::fmt;

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Reduction, Tensor};

use crate::{Error, Result, Target};

/// What is asked of each input. The names in files are those of transformers' `problem_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Task {
    /// Which one of the classes it is of.
    #[default]
    #[serde(rename = "single_label_classification")]
    SingleLabel,
    /// Which of the labels apply: any number of them.
    #[serde(rename = "multi_label_classification")]
    MultiLabel,
    /// One number or several.
    #[serde(rename = "regression")]
    Regression,
}

impl Task {
    /// What one of its answers is called, in the singular.
    pub fn answer(self) -> &'static str {
        match self {
            Self::SingleLabel => "class",
            Self::MultiLabel => "label",
            Self::Regression => "value",
        }
    }

    /// What [`Evaluation::merit`](crate::Evaluation::merit) is called.
    pub fn merit(self) -> &'static str {
        match self {
            Self::SingleLabel => "accuracy",
            Self::MultiLabel => "macro F1",
            Self::Regression => "R²",
        }
    }
}

/// What of a model's specification its task depends on: a view that
/// [`Spec::task_config`](crate::Spec::task_config) lends.
#[derive(Debug, Clone, Copy)]
pub struct TaskConfig<'s> {
    /// What is asked.
    pub task: Task,
    /// The classes, the labels or the names of the values, in the order of the logits.
    pub labels: &'s [String],
    /// The scale of each value, where the logits are deviations from a mean.
    pub scales: &'s [Scale],
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SingleLabel => "single-label classification",
            Self::MultiLabel => "multi-label classification",
            Self::Regression => "regression",
        })
    }
}

/// How large a value is and how much it varies in the training split. A model answers in deviations
/// from the mean, so that all values count alike in the loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// In the value's unit.
    pub mean: f64,
    /// The standard deviation (of the population), in the value's unit.
    pub deviation: f64,
}

impl Scale {
    /// Measures each value on the targets of the training samples; nothing where they have none.
    ///
    /// # Errors
    /// If a value is the same in all of them. `names` are what they are called.
    pub fn of(train: &[Target], names: &[String]) -> Result<Vec<Self>> {
        let rows: Vec<&[f64]> = train
            .iter()
            .filter_map(|target| match target {
                Target::Values(values) => Some(values.as_slice()),
                _ => None,
            })
            .collect();
        let (count, values) = (rows.len() as f64, rows.first().map_or(0, |row| row.len()));
        let scale = |at: usize| {
            let mean = rows.iter().map(|row| row[at] / count).sum::<f64>();
            let deviation =
                rows.iter().map(|row| (row[at] - mean).powi(2) / count).sum::<f64>().sqrt();
            if deviation > 0. && deviation.is_finite() {
                return Ok(Self { mean, deviation });
            }
            let name = names.get(at).map_or("?", String::as_str);
            let problem = match deviation.is_finite() {
                true => format!(
                    "all training samples have {} as {name:?}, so there is nothing to learn",
                    rows[0][at]
                ),
                false => format!("the training samples have too large numbers as {name:?}"),
            };
            Err(Error::Setting { setting: "--data", problem })
        };
        (0..values).map(scale).collect()
    }
}

/// The scales of all values, for computing.
#[derive(Debug)]
pub(crate) struct Scales {
    /// `[values]`, f64.
    mean: Tensor,
    /// `[values]`, f64.
    deviation: Tensor,
}

impl Scales {
    /// `None` where answers are in the values' own units, or are no values.
    pub(crate) fn of(config: TaskConfig<'_>, device: Device) -> Option<Self> {
        let part = |of: fn(&Scale) -> f64| {
            let all: Vec<f64> = config.scales.iter().map(of).collect();
            Tensor::from_slice(&all).to_device(device)
        };
        let scaled = config.task == Task::Regression && !config.scales.is_empty();
        scaled.then(|| Self { mean: part(|s| s.mean), deviation: part(|s| s.deviation) })
    }

    /// Values in their units, `[B, values]`, to what a model answers, f32.
    fn apply(&self, values: &Tensor) -> Tensor {
        ((values - &self.mean) / &self.deviation).to_kind(Kind::Float)
    }

    /// A head's weights `[values, D]` to those whose answers are in units, f64.
    pub(crate) fn stretch(&self, weight: &Tensor) -> Tensor {
        weight.to_kind(Kind::Double) * self.deviation.unsqueeze(-1)
    }

    /// What a model answers to values in their units, f64.
    pub(crate) fn undo(&self, answers: &Tensor) -> Tensor {
        answers.to_kind(Kind::Double) * &self.deviation + &self.mean
    }
}

/// What a model's answers are measured by in training: the task with all that its loss depends on.
#[derive(Debug)]
pub struct Objective {
    task: Task,
    scales: Option<Scales>,
    smoothing: f64,
    weights: Option<Tensor>,
}

impl Objective {
    /// The objective of a model. `smoothing` is the share of each target that is spread evenly over
    /// all answers.
    pub fn new(config: TaskConfig<'_>, smoothing: f64, device: Device) -> Self {
        let scales = Scales::of(config, device);
        Self { task: config.task, scales, smoothing, weights: None }
    }

    /// Lets samples of each class count so much, `[classes]`, f32; of labels, those to which each
    /// applies, against those to which it does not.
    pub fn with_weights(self, weights: Tensor) -> Self {
        Self { weights: Some(weights), ..self }
    }

    /// The mean loss of a batch with logits `[B, answers]`. The targets are as [`Target::stack`] and
    /// [`Mix::apply`](crate::Mix::apply) make them. It is the cross-entropy in nats of classes; that of
    /// each label with its absence, on average; of values, the squared error in deviations.
    pub fn loss(&self, logits: &Tensor, targets: &Tensor) -> Tensor {
        let (weights, smoothing) = (self.weights.as_ref(), self.smoothing);
        match self.task {
            Task::SingleLabel => {
                logits.cross_entropy_loss(targets, weights, Reduction::Mean, -100, smoothing)
            }
            Task::MultiLabel => {
                let targets = targets * (1. - smoothing) + smoothing / 2.;
                let none = None::<&Tensor>;
                logits.binary_cross_entropy_with_logits(&targets, none, weights, Reduction::Mean)
            }
            Task::Regression => {
                let targets = match &self.scales {
                    Some(scales) => scales.apply(targets),
                    None => targets.to_kind(Kind::Float),
                };
                logits.mse_loss(&targets, Reduction::Mean)
            }
        }
    }

    /// How many answers are the target, or its largest part: the class, or all labels. Values are
    /// never right.
    pub fn right(&self, logits: &Tensor, targets: &Tensor) -> Option<i64> {
        let right = match self.task {
            Task::SingleLabel => {
                let classes = match targets.dim() {
                    1 => targets.shallow_clone(),
                    _ => targets.argmax(-1, false),
                };
                logits.argmax(-1, false).eq_tensor(&classes)
            }
            Task::MultiLabel => logits.gt(0.).eq_tensor(&targets.gt(0.5)).all_dim(-1, false),
            Task::Regression => return None,
        };
        Some(right.sum(Kind::Int64).int64_value(&[]))
    }
}

#[cfg(test)]
pub(crate) mod tests;

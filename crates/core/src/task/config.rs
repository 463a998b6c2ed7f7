//! The part of a model's specification that its task depends on.

use tch::{Device, Kind, Tensor};

use super::calibration::Calibration;
use super::scale::{Scales, TargetScale};
use super::tags::Scheme;
use super::task::Task;
use super::vocabulary::Vocabulary;

/// The part of a model's specification that its task depends on: a view that
/// [`Spec::task_config`](crate::spec::Spec::task_config) borrows.
#[derive(Debug, Clone, Copy)]
pub struct TaskConfig<'s> {
    /// The task.
    pub task: Task,
    /// The classes, the labels, the names of the values or the symbols, in the order of the logits.
    pub labels: &'s [String],
    /// What the symbols of a transcription mean.
    pub vocabulary: Option<&'s Vocabulary>,
    /// The scale of each value, where the logits are in standard deviations from its mean.
    pub scales: &'s [TargetScale],
    /// What was fitted on the validation split, where the model was calibrated.
    pub calibration: Option<&'s Calibration>,
}

impl TaskConfig<'_> {
    /// The name of the primary metric, as [`Task::primary_metric`] has it; of labels without prefixes and
    /// without `O`, whose spans are words, `word accuracy`.
    pub fn primary_metric(self) -> &'static str {
        let scheme = || Scheme::of_labels(self.labels.iter().map(String::as_str));
        match self.task {
            Task::Tagging if scheme() == Scheme::Plain => "word accuracy",
            task => task.primary_metric(),
        }
    }

    /// The probabilities of classes or labels, `[N, answers]`, f64, of
    /// [rows of scores](crate::task::Scores::Rows): calibrated, where the model is.
    pub fn probabilities(self, scores: &Tensor) -> Tensor {
        match (self.calibration, self.task) {
            (None, Task::MultiLabel) => scores.sigmoid().to_kind(Kind::Double),
            (None, _) => scores.exp().to_kind(Kind::Double),
            (Some(fitted), Task::MultiLabel) => fitted.log_odds(scores).sigmoid(),
            (Some(fitted), _) => fitted.log_probabilities(scores).exp(),
        }
    }

    /// The probability above which a label applies.
    pub fn threshold(self, label: usize) -> f64 {
        let fitted = self.calibration.and_then(|fitted| fitted.thresholds.get(label));
        fitted.copied().unwrap_or(0.5)
    }

    /// The scales as tensors; `None` where predictions are in the values' own units, or are no
    /// values.
    pub(crate) fn scales_on(self, device: Device) -> Option<Scales> {
        let scaled = self.task == Task::Regression && !self.scales.is_empty();
        scaled.then(|| Scales::new(self.scales, device))
    }

    /// A model's predictions of values, `[B, values]`, in the values' own units, f64.
    pub fn in_units(self, answers: &Tensor) -> Tensor {
        match self.scales_on(answers.device()) {
            Some(scales) => scales.undo(answers),
            None => answers.to_kind(Kind::Double),
        }
    }
}

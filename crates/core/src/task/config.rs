//! The part of a model's specification that its task depends on.

use tch::{Device, Kind, Tensor};

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

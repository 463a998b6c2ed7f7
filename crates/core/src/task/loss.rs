//! The loss that teaches a task.

use tch::{Device, Kind, Reduction, Tensor};

use super::config::TaskConfig;
use super::scale::Scales;
use super::task::Task;

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
        let scales = config.scales_on(device);
        Self { task: config.task, scales, smoothing, weights: None }
    }

    /// Lets samples of each class count so much, `[classes]`, f32; of labels, those to which each
    /// applies, against those to which it does not.
    pub fn with_weights(self, weights: Tensor) -> Self {
        Self { weights: Some(weights), ..self }
    }

    /// The mean loss of a batch with logits `[B, answers]`. The targets are as [`Target::stack`] and
    /// [`Mix::apply`](crate::train::Mix::apply) make them. It is the cross-entropy in nats of classes; that of
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
    pub fn correct(&self, logits: &Tensor, targets: &Tensor) -> Option<i64> {
        let correct = match self.task {
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
        Some(correct.sum(Kind::Int64).int64_value(&[]))
    }
}

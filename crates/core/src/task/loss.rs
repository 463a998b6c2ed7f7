//! The training loss of a task.

use tch::{Device, Kind, Reduction, Tensor};

use super::config::TaskConfig;
use super::scale::Scales;
use super::task::Task;

/// The training objective of a model: its task with everything that the loss depends on.
#[derive(Debug)]
pub struct Objective {
    task: Task,
    scales: Option<Scales>,
    smoothing: f64,
    weights: Option<Tensor>,
}

impl Objective {
    /// The objective of a model. `smoothing` is the fraction of each target that is spread evenly
    /// over all classes or labels.
    pub fn new(config: TaskConfig<'_>, smoothing: f64, device: Device) -> Self {
        let scales = config.scales_on(device);
        Self { task: config.task, scales, smoothing, weights: None }
    }

    /// Sets weights of the classes, `[classes]`, f32; or, of labels, the weight of positive targets
    /// relative to negative ones (PyTorch's `pos_weight`).
    pub fn with_weights(self, weights: Tensor) -> Self {
        Self { weights: Some(weights), ..self }
    }

    /// The mean loss of a batch with logits `[B, answers]`. The targets are as
    /// [`Target::stack`](crate::task::Target::stack) and [`Mix::apply`](crate::train::Mix::apply)
    /// make them. Of classes it is the cross-entropy, in nats; of labels, the mean binary
    /// cross-entropy; of values, the squared error in standard deviations.
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

    /// The number of correct predictions: the most likely class is the target, or its largest part;
    /// or all labels are correct. `None` for values.
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

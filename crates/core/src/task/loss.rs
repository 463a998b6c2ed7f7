//! The training loss of a task.

use tch::{Device, Kind, Reduction, Tensor};

use super::config::TaskConfig;
use super::ctc;
use super::scale::Scales;
use super::targets::{IGNORED, Targets, WordPositions};
use super::task::Task;

/// The training objective of a model: its task with everything that the loss depends on.
#[derive(Debug)]
pub struct Objective {
    task: Task,
    scales: Option<Scales>,
    smoothing: f64,
    weights: Option<Tensor>,
    /// Of symbols.
    blank: usize,
}

impl Objective {
    /// The objective of a model. `smoothing` is the fraction of each target that is spread evenly
    /// over all classes or labels.
    pub fn new(config: TaskConfig<'_>, smoothing: f64, device: Device) -> Self {
        let scales = config.scales_on(device);
        let blank = config.vocabulary.map_or(0, |vocabulary| vocabulary.blank);
        Self { task: config.task, scales, smoothing, weights: None, blank }
    }

    /// Sets weights of the classes, `[classes]`, f32; or, of labels, the weight of positive targets
    /// relative to negative ones (PyTorch's `pos_weight`).
    pub fn with_weights(self, weights: Tensor) -> Self {
        Self { weights: Some(weights), ..self }
    }

    /// The mean loss of a batch with logits `[B, answers]`, or `[B, T, answers]` of sequences, of whose
    /// positions `mask`, `[B, T]`, says which hold data. The targets are as
    /// [`Targets::stack`](crate::task::Targets::stack) and [`Mix::apply`](crate::train::Mix::apply)
    /// make them. Of classes it is the cross-entropy, in nats; of labels, the mean binary
    /// cross-entropy; of values, the squared error in standard deviations; of texts, the CTC loss for
    /// each symbol; of labels of words, the cross-entropy of a word.
    pub fn loss(&self, logits: &Tensor, mask: Option<&Tensor>, targets: &Targets) -> Tensor {
        let (weights, smoothing) = (self.weights.as_ref(), self.smoothing);
        let entropy = |logits: &Tensor, classes: &Tensor| {
            logits.cross_entropy_loss(classes, weights, Reduction::Mean, IGNORED, smoothing)
        };
        match self.task {
            Task::SingleLabel => entropy(logits, &targets.x),
            Task::MultiLabel => {
                let targets = &targets.x * (1. - smoothing) + smoothing / 2.;
                let none = None::<&Tensor>;
                logits.binary_cross_entropy_with_logits(&targets, none, weights, Reduction::Mean)
            }
            Task::Regression => {
                let targets = match &self.scales {
                    Some(scales) => scales.apply(&targets.x),
                    None => targets.x.to_kind(Kind::Float),
                };
                logits.mse_loss(&targets, Reduction::Mean)
            }
            Task::Transcription => {
                let logs = logits.log_softmax(-1, Kind::Float);
                let positions = match mask {
                    Some(mask) => mask.sum_dim_intlist([1].as_slice(), false, Kind::Int64),
                    None => Tensor::full(
                        [logits.size()[0]],
                        logits.size()[1],
                        (Kind::Int64, logits.device()),
                    ),
                };
                let none = Tensor::zeros_like(&positions);
                let lengths = targets.lengths.as_ref().unwrap_or(&none);
                ctc::loss(&logs, &positions, &targets.x, lengths, self.blank)
            }
            Task::Tagging => {
                let logits = match &targets.words {
                    Some(words) => at_words(logits, words),
                    None => logits.shallow_clone(),
                };
                // The mean over no words at all would be no number, and its gradient neither.
                match targets.x.ne(IGNORED).any().int64_value(&[]) {
                    0 => logits.sum(Kind::Float) * 0.,
                    _ => entropy(&logits.flatten(0, 1), &targets.x.flatten(0, 1)),
                }
            }
        }
    }

    /// What the mean loss of a batch is the mean over: its samples; their classes' weights; or its words
    /// that count. The mean over several batches is that of theirs, weighted by this.
    pub(crate) fn weight(&self, targets: &Targets) -> f64 {
        match (self.task, &self.weights) {
            (Task::SingleLabel, Some(weights)) if targets.x.dim() == 1 => {
                weights.index_select(0, &targets.x).sum(Kind::Double).double_value(&[])
            }
            (Task::Tagging, _) => targets.x.ne(IGNORED).sum(Kind::Double).double_value(&[]),
            _ => targets.len() as f64,
        }
    }

    /// The number of correct predictions: the most likely class is the target, or its largest part;
    /// or all labels are correct. `None` for values and sequences.
    pub fn correct(&self, logits: &Tensor, targets: &Targets) -> Option<i64> {
        let targets = &targets.x;
        let correct = match self.task {
            Task::SingleLabel => {
                let classes = match targets.dim() {
                    1 => targets.shallow_clone(),
                    _ => targets.argmax(-1, false),
                };
                logits.argmax(-1, false).eq_tensor(&classes)
            }
            Task::MultiLabel => logits.gt(0.).eq_tensor(&targets.gt(0.5)).all_dim(-1, false),
            Task::Regression | Task::Transcription | Task::Tagging => return None,
        };
        Some(correct.sum(Kind::Int64).int64_value(&[]))
    }
}

/// What a model answers at the beginnings of words: `[B, T, answers]` to `[B, W, answers]`. A trunk may
/// have made one position of several of the input's.
pub(crate) fn at_words(logits: &Tensor, words: &WordPositions) -> Tensor {
    let positions = logits.size()[1];
    let at = match words.of == positions {
        true => words.starts.shallow_clone(),
        false => (&words.starts * positions)
            .divide_scalar_mode(words.of.max(1), "floor")
            .clamp_max(positions - 1),
    };
    logits.take_along_dim(&at.unsqueeze(-1), 1)
}

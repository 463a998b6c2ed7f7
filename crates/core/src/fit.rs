//! Fine-tuning: a short loop over [`Tuner::step`].

use std::time::Instant;

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::{
    AdamW, Batch, Error, Evaluation, Modality, Model, Result, Samples, Schedule, optim::clip_factor,
};

/// How to train. The defaults are those of the binaries, which choose the two rates by what is fresh
/// and what trains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FitOptions {
    /// Passes over the training samples.
    pub epochs: usize,
    /// Samples in a step.
    pub batch_size: usize,
    /// The peak learning rate of fresh parameters.
    pub lr: f64,
    /// The peak learning rate of pretrained parameters.
    pub pretrained_lr: f64,
    /// The share of all steps in which the rate rises.
    pub warmup: f64,
    /// Weight decay of matrices.
    pub weight_decay: f64,
    /// The largest norm of a step's gradient.
    pub clip_grad: f64,
    /// End after this many steps, wherever they fall; `None`: after the last epoch.
    pub max_steps: Option<usize>,
    /// Stop after this many epochs without a better validation accuracy; `None`: never.
    pub patience: Option<usize>,
    /// Decides the fresh parameters (through [`seed`]), the order of samples and dropout.
    pub seed: u64,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 16,
            lr: 3e-3,
            pretrained_lr: 1e-4,
            warmup: 0.1,
            weight_decay: 0.01,
            clip_grad: 1.,
            max_steps: None,
            patience: Some(5),
            seed: 0,
        }
    }
}

impl FitOptions {
    /// All steps of a training on this many samples, if nothing stops it early.
    pub fn steps(&self, samples: usize) -> usize {
        let all = samples.div_ceil(self.batch_size) * self.epochs;
        self.max_steps.map_or(all, |max| max.min(all))
    }

    /// Checks every value.
    ///
    /// # Errors
    /// The first that cannot be used, by the name that the binaries give it.
    pub fn check(&self) -> Result<()> {
        let positive = |x: f64| x > 0. && x.is_finite();
        let problems = [
            ("--epochs", self.epochs > 0, "must be at least 1"),
            ("--batch-size", self.batch_size > 0, "must be at least 1"),
            ("--lr", positive(self.lr), "must be above 0"),
            ("--pretrained-lr", positive(self.pretrained_lr), "must be above 0"),
            ("--warmup", (0.0..1.0).contains(&self.warmup), "must be a share from 0 to below 1"),
            (
                "--weight-decay",
                self.weight_decay >= 0. && self.weight_decay.is_finite(),
                "must not be negative",
            ),
            ("--clip-grad", positive(self.clip_grad), "must be above 0"),
            ("--max-steps", self.max_steps != Some(0), "must be at least 1"),
            ("--patience", self.patience != Some(0), "must be at least 1"),
        ];
        match problems.into_iter().find(|(_, fine, _)| !fine) {
            Some((setting, _, problem)) => Err(Error::Setting { setting, problem: problem.into() }),
            None => Ok(()),
        }
    }
}

/// Seeds everything that libtorch draws at random. Before a model is built, this decides its fresh
/// parameters.
pub fn seed(seed: u64) {
    tch::manual_seed(seed as i64);
}

/// A step's result.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The mean cross-entropy of the batch, in nats.
    pub loss: f64,
    /// Right answers in the batch.
    pub right: i64,
}

/// A model in training: the optimizer and the schedule.
#[derive(Debug)]
pub struct Tuner<'m> {
    model: &'m Model,
    optimizer: AdamW,
    schedule: Schedule,
    options: &'m FitOptions,
    steps: usize,
}

impl<'m> Tuner<'m> {
    /// A tuner for `total` steps of what [`Freeze::apply`](crate::Freeze::apply) left trainable.
    pub fn new(model: &'m Model, options: &'m FitOptions, total: usize) -> Self {
        let fresh = &model.report().fresh;
        let pretrained = options.pretrained_lr / options.lr;
        let rate = |name: &str| match fresh.binary_search_by(|f| f.as_str().cmp(name)) {
            Ok(_) => 1.,
            Err(_) => pretrained,
        };
        let warmup = (total as f64 * options.warmup).ceil() as usize;
        Self {
            model,
            optimizer: AdamW::new(model.store(), options.weight_decay, rate),
            schedule: Schedule { warmup, total },
            options,
            steps: 0,
        }
    }

    /// One step on a batch with its classes `[B]`, i64.
    ///
    /// # Errors
    /// If the loss is not a number.
    pub fn step(&mut self, batch: &Batch, targets: &Tensor) -> Result<Step> {
        let logits = self.model.classifier().forward(batch, true);
        let loss = logits.cross_entropy_for_logits(targets);
        let step = Step {
            loss: loss.double_value(&[]),
            right: logits.argmax(-1, false).eq_tensor(targets).sum(Kind::Int64).int64_value(&[]),
        };
        if !step.loss.is_finite() {
            let (step, loss, lr) = (self.steps + 1, step.loss, self.options.lr);
            return Err(Error::Diverged { step, loss, lr });
        }
        let gradients = self.optimizer.gradients(&loss)?;
        let factor = clip_factor(&gradients, self.options.clip_grad);
        self.optimizer.step(&gradients, factor, self.options.lr * self.schedule.at(self.steps))?;
        self.steps += 1;
        Ok(step)
    }
}

/// What an epoch came to; a line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// The mean loss over the epoch's steps, in training mode.
    pub train_loss: f64,
    /// The share of right answers over the epoch's steps, in training mode.
    pub train_accuracy: f64,
    /// The loss on the validation split.
    pub validation_loss: Option<f64>,
    /// The accuracy on the validation split.
    pub validation_accuracy: Option<f64>,
    /// Wall-clock time of the epoch, validation included.
    pub seconds: f64,
}

/// What an observer of [`fit`] is told.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A step is done.
    Step {
        /// The epoch, counted from 1.
        epoch: usize,
        /// Steps done in this epoch.
        step: usize,
        /// Steps in an epoch.
        steps: usize,
        /// The mean loss of the epoch so far.
        loss: f64,
        /// The accuracy of the epoch so far.
        accuracy: f64,
    },
    /// An epoch is done.
    Epoch(&'a EpochRecord),
}

/// The course of a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// The epochs that were run.
    pub epochs: Vec<EpochRecord>,
    /// The epoch whose parameters the model has now, counted from 1.
    pub best_epoch: usize,
    /// Wall-clock time.
    pub seconds: f64,
}

/// Trains a model. With validation samples, the model ends with the parameters of the epoch that
/// had the best validation accuracy (of equals, the one with the lower loss), and stops early
/// after `patience` epochs without a better one; without them, it ends as the last epoch left it.
///
/// # Errors
/// If an option cannot be used, the loss stops being a number, or the observer fails.
pub fn fit<M: Modality>(
    model: &Model,
    modality: &M,
    train: &Samples,
    validation: &Samples,
    options: &FitOptions,
    observe: &mut dyn FnMut(Progress<'_>) -> Result<()>,
) -> Result<Fitted> {
    options.check()?;
    let start = Instant::now();
    let steps = train.len().div_ceil(options.batch_size);
    let total = options.steps(train.len());
    let mut tuner = Tuner::new(model, options, total);
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let mut order: Vec<usize> = (0..train.len()).collect();
    let (mut epochs, mut best): (Vec<EpochRecord>, Option<Best>) = (vec![], None);
    for epoch in 1..=total.div_ceil(steps.max(1)) {
        let begun = Instant::now();
        order.shuffle(&mut rng);
        let (mut loss, mut right, mut seen) = (0., 0, 0);
        let left = total - steps * (epoch - 1);
        for (at, chosen) in order.chunks(options.batch_size).take(left).enumerate() {
            let (batch, targets) = gather(model, modality, train, chosen);
            let step = tuner.step(&batch, &targets)?;
            loss += step.loss * chosen.len() as f64;
            right += step.right;
            seen += chosen.len();
            observe(Progress::Step {
                epoch,
                step: at + 1,
                steps,
                loss: loss / seen as f64,
                accuracy: right as f64 / seen as f64,
            })?;
        }
        let scored = (!validation.is_empty()).then(|| {
            let classes = model.spec().labels.len();
            Evaluation::of(model.classifier(), modality, validation, classes, options.batch_size)
        });
        let record = EpochRecord {
            epoch,
            train_loss: loss / seen as f64,
            train_accuracy: right as f64 / seen as f64,
            validation_loss: scored.as_ref().map(|s| s.loss),
            validation_accuracy: scored.as_ref().map(|s| s.accuracy),
            seconds: begun.elapsed().as_secs_f64(),
        };
        observe(Progress::Epoch(&record))?;
        epochs.push(record);
        if let Some(scored) = scored {
            if best.as_ref().is_none_or(|b| b.is_worse_than(&scored)) {
                best = Some(Best::new(model, epoch, &scored));
            } else if let (Some(b), Some(patience)) = (&best, options.patience)
                && epoch - b.epoch >= patience
            {
                break;
            }
        }
    }
    let best_epoch = best.as_ref().map_or(epochs.len(), |b| b.epoch);
    if let Some(best) = best.filter(|b| b.epoch < epochs.len()) {
        best.restore(model);
    }
    Ok(Fitted { epochs, best_epoch, seconds: start.elapsed().as_secs_f64() })
}

/// A batch of the chosen samples with their classes, on the model's device.
fn gather<M: Modality>(
    model: &Model,
    modality: &M,
    samples: &Samples,
    chosen: &[usize],
) -> (Batch, Tensor) {
    let device = model.classifier().device();
    let inputs: Vec<&Tensor> = chosen.iter().map(|&i| &samples.inputs[i]).collect();
    let targets: Vec<i64> = chosen.iter().map(|&i| samples.targets[i]).collect();
    (modality.batch(&inputs).to_device(device), Tensor::from_slice(&targets).to_device(device))
}

/// The best epoch so far, with a copy of what trains.
struct Best {
    epoch: usize,
    accuracy: f64,
    loss: f64,
    parameters: Vec<(String, Tensor)>,
}

impl Best {
    fn new(model: &Model, epoch: usize, scored: &Evaluation) -> Self {
        let parameters = model.store().variables().into_iter().filter(|(_, t)| t.requires_grad());
        Self {
            epoch,
            accuracy: scored.accuracy,
            loss: scored.loss,
            parameters: parameters.map(|(name, t)| (name, t.detach().copy())).collect(),
        }
    }

    fn is_worse_than(&self, scored: &Evaluation) -> bool {
        (scored.accuracy, -scored.loss) > (self.accuracy, -self.loss)
    }

    fn restore(self, model: &Model) {
        let now = model.store().variables();
        tch::no_grad(|| {
            for (name, value) in self.parameters {
                if let Some(mut now) = now.get(&name).map(Tensor::shallow_clone) {
                    now.copy_(&value);
                }
            }
        });
    }
}

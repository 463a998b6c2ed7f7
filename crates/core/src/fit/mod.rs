//! Fine-tuning: a short loop over [`Tuner::step`].

mod options;

use std::time::Instant;

use rand::{SeedableRng, seq::SliceRandom};
use serde::{Deserialize, Serialize};
use tch::Tensor;

pub use options::{Balance, FitOptions, Order};

use crate::{
    AdamW, Batch, Error, Evaluation, Mix, Modality, Model, Objective, Result, Rng, Samples,
    Schedule,
    data::balance,
    loader::{self, Prepared, Purpose},
    optim::clip_factor,
};

/// Seeds everything that libtorch draws at random. Before a model is built, this decides its fresh
/// parameters.
pub fn seed(seed: u64) {
    tch::manual_seed(seed as i64);
}

/// A step's result.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// The mean loss of the batch; see [`Objective::loss`].
    pub loss: f64,
    /// Answers that are the target, or its largest part; see [`Objective::right`].
    pub right: Option<i64>,
}

/// A model in training: the optimizer and the schedule.
#[derive(Debug)]
pub struct Tuner<'m> {
    model: &'m Model,
    optimizer: AdamW,
    schedule: Schedule,
    options: &'m FitOptions,
    objective: Objective,
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
            objective: Objective::new(
                model.spec(),
                options.label_smoothing,
                model.classifier().device(),
            ),
            steps: 0,
        }
    }

    /// Lets samples of each class or label count so much; see [`Objective::with_weights`].
    pub fn with_class_weights(self, weights: Tensor) -> Self {
        let weights = weights.to_device(self.model.classifier().device());
        Self { objective: self.objective.with_weights(weights), ..self }
    }

    /// One step on a batch with its targets, as [`Target::stack`](crate::Target::stack) or
    /// [`Mix::apply`] makes them.
    ///
    /// # Errors
    /// If the loss is not a number.
    pub fn step(&mut self, batch: &Batch, targets: &Tensor) -> Result<Step> {
        let logits = self.model.classifier().forward(batch, true);
        let loss = self.objective.loss(&logits, targets);
        let step =
            Step { loss: loss.double_value(&[]), right: self.objective.right(&logits, targets) };
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
    /// The share of right answers over the epoch's steps, in training mode; `None` of values.
    pub train_accuracy: Option<f64>,
    /// The loss on the validation split.
    pub validation_loss: Option<f64>,
    /// The share of right answers on the validation split.
    pub validation_accuracy: Option<f64>,
    /// What the best epoch is chosen by; see [`Evaluation::merit`].
    #[serde(default)]
    pub validation_merit: Option<f64>,
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
        /// The share of right answers of the epoch so far; `None` of values.
        accuracy: Option<f64>,
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
/// had the best [merit](Evaluation::merit) in validation (of equals, the one with the lower loss), and stops early
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
    model.spec().task.check(options)?;
    let start = Instant::now();
    let steps = train.len().div_ceil(options.batch_size);
    let total = options.steps(train.len());
    let mut tuner = Tuner::new(model, options, total);
    let (device, classes) = (model.classifier().device(), model.spec().labels.len());
    if options.balance == Balance::Weights {
        let weights = balance::weights(train.targets(), classes);
        tuner = tuner.with_class_weights(Tensor::from_slice(&weights));
    }
    let mut rng = Rng::seed_from_u64(options.seed);
    let mut order: Vec<usize> = (0..train.len()).collect();
    let (mut epochs, mut best): (Vec<EpochRecord>, Option<Best>) = (vec![], None);
    for epoch in 1..=total.div_ceil(steps.max(1)) {
        let begun = Instant::now();
        if options.balance == Balance::Sampling {
            order = balance::balanced_order(&train.classes(), &mut rng);
        } else {
            order.shuffle(&mut rng);
        }
        let mut lists = match options.order {
            Order::Shuffled => order.chunks(options.batch_size).map(<[_]>::to_vec).collect(),
            Order::ByLength => by_length(train, &order, options.batch_size, &mut rng),
        };
        lists.truncate(total - steps * (epoch - 1));
        let (mut loss, mut right, mut seen, mut at) = (0., None, 0, 0);
        let purpose = Purpose::Train { seed: options.seed, epoch };
        loader::batches(
            modality,
            train,
            &lists,
            purpose,
            |chosen, Prepared { batch, targets, .. }| {
                let (batch, targets) = (batch.to_device(device), targets.to_device(device));
                let step = if options.mix == Mix::default() {
                    tuner.step(&batch, &targets)?
                } else {
                    let rng = &mut loader::rng(!options.seed, epoch, at);
                    let (batch, targets) =
                        options.mix.apply(&batch, &targets, classes as i64, rng)?;
                    tuner.step(&batch, &targets)?
                };
                loss += step.loss * chosen.len() as f64;
                right = step.right.map(|more| right.unwrap_or(0) + more);
                seen += chosen.len();
                at += 1;
                observe(Progress::Step {
                    epoch,
                    step: at,
                    steps,
                    loss: loss / seen as f64,
                    accuracy: right.map(|right| right as f64 / seen as f64),
                })
            },
        )?;
        let score = || Evaluation::of(model, modality, validation, options.batch_size);
        let scored = (!validation.is_empty()).then(score).transpose()?;
        let record = EpochRecord {
            epoch,
            train_loss: loss / seen as f64,
            train_accuracy: right.map(|right| right as f64 / seen as f64),
            validation_loss: scored.as_ref().map(Evaluation::loss),
            validation_accuracy: scored.as_ref().and_then(Evaluation::accuracy),
            validation_merit: scored.as_ref().map(Evaluation::merit),
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

/// Batches of samples of about the same length, in random order. `order` is cut into stretches of
/// many batches, and each is sorted by itself: most of the chance is left.
fn by_length(train: &Samples, order: &[usize], size: usize, rng: &mut Rng) -> Vec<Vec<usize>> {
    const BATCHES: usize = 50;
    let mut lists = vec![];
    for stretch in order.chunks(size * BATCHES) {
        let mut stretch = stretch.to_vec();
        stretch.sort_by_key(|&at| train.length(at));
        lists.extend(stretch.chunks(size).map(<[_]>::to_vec));
    }
    lists.shuffle(rng);
    lists
}

/// The best epoch so far, with a copy of what trains.
struct Best {
    epoch: usize,
    merit: f64,
    loss: f64,
    parameters: Vec<(String, Tensor)>,
}

impl Best {
    fn new(model: &Model, epoch: usize, scored: &Evaluation) -> Self {
        let parameters = model.store().variables().into_iter().filter(|(_, t)| t.requires_grad());
        Self {
            epoch,
            merit: scored.merit(),
            loss: scored.loss(),
            parameters: parameters.map(|(name, t)| (name, t.detach().copy())).collect(),
        }
    }

    fn is_worse_than(&self, scored: &Evaluation) -> bool {
        (scored.merit(), -scored.loss()) > (self.merit, -self.loss)
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

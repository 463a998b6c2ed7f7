//! Fine-tuning: a short loop over [`Tuner::step`].

use std::time::Instant;

use rand::{SeedableRng, seq::SliceRandom};
use serde::{Deserialize, Serialize};
use tch::{Kind, Reduction, Tensor};

use crate::{
    AdamW, Batch, Error, Evaluation, Mix, Modality, Model, Result, Rng, Samples, Schedule,
    loader::{self, Prepared, Purpose},
    optim::clip_factor,
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
    /// The order of the training samples.
    pub order: Order,
    /// Mixing the samples of a batch.
    pub mix: Mix,
    /// The share of each target that is spread evenly over all classes (Szegedy et al. 2016).
    pub label_smoothing: f64,
    /// Decides the fresh parameters (through [`seed`]), the order of samples, their variations and
    /// dropout.
    pub seed: u64,
}

/// The order of the training samples, new in every epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// At random.
    #[default]
    Shuffled,
    /// At random, but with batches of samples of about the same length, so that little is padded.
    ByLength,
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
            order: Order::Shuffled,
            mix: Mix::default(),
            label_smoothing: 0.,
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
        let not_negative = |x: f64| x >= 0. && x.is_finite();
        let share = |x: f64| (0.0..1.0).contains(&x);
        let problems = [
            ("--epochs", self.epochs > 0, "must be at least 1"),
            ("--batch-size", self.batch_size > 0, "must be at least 1"),
            ("--lr", positive(self.lr), "must be above 0"),
            ("--pretrained-lr", positive(self.pretrained_lr), "must be above 0"),
            ("--warmup", share(self.warmup), "must be a share from 0 to below 1"),
            ("--weight-decay", not_negative(self.weight_decay), "must not be negative"),
            ("--clip-grad", positive(self.clip_grad), "must be above 0"),
            ("--max-steps", self.max_steps != Some(0), "must be at least 1"),
            ("--patience", self.patience != Some(0), "must be at least 1"),
            ("--mixup", not_negative(self.mix.mixup), "must not be negative"),
            ("--cutmix", not_negative(self.mix.cutmix), "must not be negative"),
            ("--label-smoothing", share(self.label_smoothing), "must be a share from 0 to below 1"),
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
    /// Answers that are the target, or its largest part.
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

    /// One step on a batch with its classes `[B]`, i64, or the share of each class,
    /// `[B, classes]`, f32.
    ///
    /// # Errors
    /// If the loss is not a number.
    pub fn step(&mut self, batch: &Batch, targets: &Tensor) -> Result<Step> {
        let logits = self.model.classifier().forward(batch, true);
        let smoothing = self.options.label_smoothing;
        let no_weights = None::<&Tensor>;
        let loss = logits.cross_entropy_loss(targets, no_weights, Reduction::Mean, -100, smoothing);
        let classes = match targets.dim() {
            1 => targets.shallow_clone(),
            _ => targets.argmax(-1, false),
        };
        let step = Step {
            loss: loss.double_value(&[]),
            right: logits.argmax(-1, false).eq_tensor(&classes).sum(Kind::Int64).int64_value(&[]),
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
    let (device, classes) = (model.classifier().device(), model.spec().labels.len());
    let mut rng = Rng::seed_from_u64(options.seed);
    let mut order: Vec<usize> = (0..train.len()).collect();
    let (mut epochs, mut best): (Vec<EpochRecord>, Option<Best>) = (vec![], None);
    for epoch in 1..=total.div_ceil(steps.max(1)) {
        let begun = Instant::now();
        order.shuffle(&mut rng);
        let mut lists = match options.order {
            Order::Shuffled => order.chunks(options.batch_size).map(<[_]>::to_vec).collect(),
            Order::ByLength => by_length(train, &order, options.batch_size, &mut rng),
        };
        lists.truncate(total - steps * (epoch - 1));
        let (mut loss, mut right, mut seen, mut at) = (0., 0, 0, 0);
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
                right += step.right;
                seen += chosen.len();
                at += 1;
                observe(Progress::Step {
                    epoch,
                    step: at,
                    steps,
                    loss: loss / seen as f64,
                    accuracy: right as f64 / seen as f64,
                })
            },
        )?;
        let score = || {
            Evaluation::of(model.classifier(), modality, validation, classes, options.batch_size)
        };
        let scored = (!validation.is_empty()).then(score).transpose()?;
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

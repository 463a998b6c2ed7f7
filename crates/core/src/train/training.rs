//! A training under way: one epoch after another.

use std::time::Instant;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use super::auto_freeze::AutoFreeze;
use super::distributed::Shares;
use super::ema::Ema;
use super::mixup::Mix;
use super::options::FitOptions;
use super::record::{Best, EpochRecord, Progress};
use super::resume::{Parts, Resumable};
use super::saver::Saver;
use super::trainer::Trainer;
use crate::error::Result;
use crate::libtorch::generator;
use crate::loader::{
    Balance, BatchSource, Mode, Order, PreparedBatch, RawInputs, Samples, balanced_order,
    by_length, chunks, load_batches,
};
use crate::modality::Modality;
use crate::model::Model;
use crate::nn::{Batch, CutPoint};
use crate::predict::evaluate_feed;
use crate::random;
use crate::random::Rng;
use crate::task::{Metrics, Targets, class_weights};

/// A training under way.
pub(super) struct Training<'m> {
    pub(super) trainer: Trainer<'m>,
    pub(super) model: &'m Model,
    pub(super) options: &'m FitOptions,
    /// The names of all tensors that are updated.
    moving: &'m [String],
    rng: Rng,
    order: Vec<usize>,
    /// The highest cut below which nothing has moved since the training began.
    pub(super) moved: CutPoint,
    /// How many steps there may still be.
    pub(super) steps_left: usize,
    pub(super) epochs: Vec<EpochRecord>,
    pub(super) best: Option<Best>,
    /// What the present epoch began with; its batches follow from that.
    begin: EpochBegin,
    /// What is done of it; nothing between epochs.
    pub(super) done: EpochSums,
    pub(super) saver: Option<Saver<'m>>,
}

/// What an epoch begins with.
#[derive(Debug, Clone)]
struct EpochBegin {
    rng: Rng,
    order: Vec<usize>,
    steps_left: usize,
}

/// What is done of an epoch.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct EpochSums {
    pub(super) batches: usize,
    /// The sum of the losses of its samples.
    loss: f64,
    correct: Option<i64>,
    samples: usize,
    seconds: f64,
}

impl<'m> Training<'m> {
    pub(super) fn new<M: Modality>(
        model: &'m Model,
        [train, _]: &[RawInputs<'_, M>; 2],
        options: &'m FitOptions,
        moving: &'m [String],
    ) -> Self {
        let samples = train.samples;
        let mut trainer = Trainer::new(model, options, options.steps(samples.len()));
        if options.balance == Balance::Weights {
            let classes = model.spec().labels.len();
            let weights = class_weights::weights(samples.targets(), classes);
            trainer = trainer.with_class_weights(Tensor::from_slice(&weights));
        }
        trainer.average = options.ema.map(|decay| Ema::new(model, moving, decay));
        let depth = model.outline().depth;
        trainer.auto_freeze = options.auto_freeze.map(|fraction| AutoFreeze::new(depth, fraction));
        let begin = EpochBegin {
            rng: Rng::seed_from_u64(options.seed),
            order: (0..samples.len()).collect(),
            steps_left: options.max_steps.unwrap_or(usize::MAX),
        };
        Self {
            trainer,
            model,
            options,
            moving,
            rng: begin.rng.clone(),
            order: begin.order.clone(),
            // Each phase lowers it when it begins: the model may now be as the last one leaves it.
            moved: CutPoint::Pooled,
            steps_left: begin.steps_left,
            epochs: vec![],
            best: None,
            begin,
            done: EpochSums::default(),
            saver: None,
        }
    }

    /// The batches of an epoch.
    pub(super) fn lists(&mut self, train: &Samples) -> Vec<Vec<usize>> {
        let size = self.options.global_batch_size();
        if self.options.balance == Balance::Sampling {
            self.order = balanced_order(&train.classes(), &mut self.rng);
        } else {
            self.order.shuffle(&mut self.rng);
        }
        match self.options.order {
            Order::Shuffled => chunks(&self.order, size),
            Order::ByLength => by_length(train, &self.order, size, &mut self.rng),
        }
    }

    /// Before an epoch, or another phase of epochs.
    pub(super) fn between_epochs(&mut self) {
        if self.done.batches == 0 {
            let (rng, order) = (self.rng.clone(), self.order.clone());
            self.begin = EpochBegin { rng, order, steps_left: self.steps_left };
        }
    }

    /// Trains for an epoch, or what is left of it, and evaluates if there is anything to evaluate on.
    pub(super) fn epoch(
        &mut self,
        [train, validation]: [&dyn BatchSource; 2],
        observe: &mut dyn FnMut(Progress<'_>) -> Result<()>,
    ) -> Result<()> {
        let (begun, epoch) = (Instant::now(), self.epochs.len() + 1);
        let (model, options, moving) = (self.model, self.options, self.moving);
        let mut lists = self.lists(train.samples());
        let steps = lists.len();
        // What is left of an epoch makes a step, too.
        lists.truncate(self.steps_left.saturating_mul(options.accumulate));
        self.steps_left -= lists.len().div_ceil(options.accumulate);
        let shares = Shares::of(lists, train.samples());
        if let Some(average) = &mut self.trainer.average {
            average.swap_out();
        }
        let before = self.done.seconds;
        let left = shares.lists().get(self.done.batches..).unwrap_or_default();
        let purpose = Mode::Train { seed: options.seed, epoch };
        load_batches(train, left, purpose, model.classifier().device(), |_, prepared| {
            shares.enter(options.seed, epoch, self.done.batches);
            let (batch, targets) = ready(model, options, prepared, (epoch, self.done.batches))?;
            let step = self.trainer.step_from(&batch, train.cut_point(), &targets)?;
            let done = &mut self.done;
            done.loss += step.loss * step.samples as f64;
            done.correct = step.correct.map(|more| done.correct.unwrap_or(0) + more);
            done.samples += step.samples as usize;
            done.batches += 1;
            done.seconds = before + begun.elapsed().as_secs_f64();
            observe(Progress::Step {
                epoch,
                step: done.batches,
                steps,
                loss: done.loss(),
                accuracy: done.accuracy(),
                batch_loss: step.loss,
                update: self.trainer.update.as_ref(),
            })?;
            self.after_step(observe)
        })?;
        self.trainer.flush()?;
        if let Some(average) = &mut self.trainer.average {
            average.swap_in();
        }
        let score = || evaluate_feed(model, validation, options.batch_size);
        let scored = (!validation.samples().is_empty()).then(score).transpose()?;
        if let Some(metrics) = &scored {
            observe(Progress::Validated(metrics))?;
        }
        let done = std::mem::take(&mut self.done);
        let record = EpochRecord {
            epoch,
            train_loss: done.loss(),
            train_accuracy: done.accuracy(),
            validation_loss: scored.as_ref().map(Metrics::loss),
            validation_accuracy: scored.as_ref().and_then(Metrics::accuracy),
            validation_score: scored.as_ref().map(Metrics::primary_metric),
            seconds: before + begun.elapsed().as_secs_f64(),
        };
        observe(Progress::Epoch(&record))?;
        self.epochs.push(record);
        let better = |s: &Metrics| self.best.as_ref().is_none_or(|b| b.is_worse_than(s));
        if let Some(scored) = scored.filter(better) {
            self.best = Some(Best::new(model, moving, epoch, &scored));
        }
        Ok(())
    }
}

impl EpochSums {
    /// The mean over its samples.
    fn loss(&self) -> f64 {
        self.loss / self.samples as f64
    }

    fn accuracy(&self) -> Option<f64> {
        self.correct.map(|correct| correct as f64 / self.samples as f64)
    }
}

/// The name of the epochs in a checkpoint, and those of the tensors.
const EPOCHS: &str = "epochs";
const EPOCH: &str = "epoch";
const ORDER: &str = "order";
const MODEL: &str = "model.";
const GENERATOR: &str = "generator";

impl Resumable for Training<'_> {
    fn save(&self, to: &mut Parts) -> Result<()> {
        let variables = self.model.store().variables();
        for (name, value) in self.moving.iter().filter_map(|n| Some((n, variables.get(n)?))) {
            to.put_tensor(format!("{MODEL}{name}"), value);
        }
        self.trainer.save(to)?;
        Best::save(self.best.as_ref(), to)?;
        to.put(EPOCHS, &self.epochs)?;
        let EpochBegin { rng, order, steps_left } = &self.begin;
        // A position of more than 64 bits is more than JSON's readers take for a number.
        to.put(EPOCH, &(rng.get_word_pos().to_string(), steps_left, &self.done))?;
        let order: Vec<i64> = order.iter().map(|&at| at as i64).collect();
        to.put_tensor(ORDER, &Tensor::from_slice(&order));
        for (name, device) in self.generators() {
            to.put_tensor(name, &generator::state(device)?);
        }
        Ok(())
    }

    fn load(&mut self, from: &Parts) -> Result<()> {
        let variables = self.model.store().variables();
        for name in self.moving {
            if let Some(value) = variables.get(name) {
                from.copy_tensor(&format!("{MODEL}{name}"), &mut value.shallow_clone())?;
            }
        }
        self.trainer.load(from)?;
        self.best = Best::load(self.model, self.moving, from)?;
        self.epochs = from.get(EPOCHS)?;
        let (position, steps_left, done): (String, usize, EpochSums) = from.get(EPOCH)?;
        let position = position.parse().map_err(|_| from.malformed("no position"))?;
        self.rng.set_word_pos(position);
        let mut order = Tensor::zeros([self.order.len() as i64], (tch::Kind::Int64, Device::Cpu));
        from.copy_tensor(ORDER, &mut order)?;
        let order = Vec::<i64>::try_from(&order)?;
        self.order = order.into_iter().map(|at| at as usize).collect();
        (self.steps_left, self.done) = (steps_left, done);
        let (rng, order) = (self.rng.clone(), self.order.clone());
        self.begin = EpochBegin { rng, order, steps_left };
        for (name, device) in self.generators() {
            generator::set_state(device, from.tensor(&name)?)?;
        }
        Ok(())
    }
}

impl Training<'_> {
    /// The generators that a step draws from, each with its name in a checkpoint: the first process's, from
    /// which all go on, each with its own GPU.
    fn generators(&self) -> Vec<(String, Device)> {
        let device = self.model.classifier().device();
        let all = [Device::Cpu, device];
        let all = &all[..if device == Device::Cpu { 1 } else { 2 }];
        let name = |device| if device == Device::Cpu { "Cpu" } else { "device" };
        all.iter().map(|&device| (format!("{GENERATOR}.{}", name(device)), device)).collect()
    }
}

/// A batch on the model's device, mixed if it is to be; `number` is that of its epoch and its own.
pub(super) fn ready(
    model: &Model,
    options: &FitOptions,
    PreparedBatch { batch, targets, .. }: PreparedBatch,
    (epoch, number): (usize, usize),
) -> Result<(Batch, Targets)> {
    let device = model.classifier().device();
    let (batch, targets) = (batch.to_device(device), targets.to_device(device));
    if options.mix == Mix::default() {
        return Ok((batch, targets));
    }
    let classes = model.spec().labels.len() as i64;
    let rng = &mut random::rng(!options.seed, epoch, number);
    let (batch, mixed) = options.mix.apply(&batch, &targets.x, classes, rng)?;
    Ok((batch, Targets::from(mixed)))
}

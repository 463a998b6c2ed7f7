//! A training under way: one epoch after another.

use std::time::Instant;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use tch::Tensor;

use super::auto_freeze::AutoFreeze;
use super::ema::Ema;
use super::mixup::Mix;
use super::options::FitOptions;
use super::record::{Best, EpochRecord, Progress};
use super::trainer::Trainer;
use crate::error::Result;
use crate::loader::{
    Balance, BatchSource, Mode, Order, PreparedBatch, RawInputs, Samples, balanced_order,
    by_length, chunks, load_batches,
};
use crate::modality::Modality;
use crate::model::Model;
use crate::nn::Batch;
use crate::predict::evaluate_feed;
use crate::random;
use crate::random::Rng;
use crate::task::{Metrics, Targets, class_weights};

/// A training under way.
pub(super) struct Training<'m> {
    pub(super) trainer: Trainer<'m>,
    pub(super) model: &'m Model,
    pub(super) options: &'m FitOptions,
    rng: Rng,
    order: Vec<usize>,
    /// How many batches there may still be.
    pub(super) batches_left: usize,
    pub(super) epochs: Vec<EpochRecord>,
    pub(super) best: Option<Best>,
}

impl<'m> Training<'m> {
    pub(super) fn new<M: Modality>(
        model: &'m Model,
        [train, _]: &[RawInputs<'_, M>; 2],
        options: &'m FitOptions,
        moving: &[String],
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
        let most = options.max_steps.map(|steps| steps.saturating_mul(options.accumulate));
        Self {
            trainer,
            model,
            options,
            rng: Rng::seed_from_u64(options.seed),
            order: (0..samples.len()).collect(),
            batches_left: most.unwrap_or(usize::MAX),
            epochs: vec![],
            best: None,
        }
    }

    /// The batches of an epoch.
    pub(super) fn lists(&mut self, train: &Samples) -> Vec<Vec<usize>> {
        let size = self.options.batch_size;
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

    /// Trains for an epoch, and evaluates if there is anything to evaluate on.
    pub(super) fn epoch(
        &mut self,
        [train, validation]: [&dyn BatchSource; 2],
        moving: &[String],
        observe: &mut dyn FnMut(Progress<'_>) -> Result<()>,
    ) -> Result<()> {
        let (begun, epoch) = (Instant::now(), self.epochs.len() + 1);
        let (model, options) = (self.model, self.options);
        let mut lists = self.lists(train.samples());
        let steps = lists.len();
        lists.truncate(self.batches_left);
        self.batches_left -= lists.len();
        let trainer = &mut self.trainer;
        if let Some(average) = &mut trainer.average {
            average.swap_out();
        }
        let (mut loss, mut correct, mut seen, mut at) = (0., None, 0, 0);
        let purpose = Mode::Train { seed: options.seed, epoch };
        load_batches(train, &lists, purpose, model.classifier().device(), |chosen, prepared| {
            let (batch, targets) = ready(model, options, prepared, (epoch, at))?;
            let step = trainer.step_from(&batch, train.cut_point(), &targets)?;
            loss += step.loss * chosen.len() as f64;
            correct = step.correct.map(|more| correct.unwrap_or(0) + more);
            seen += chosen.len();
            at += 1;
            observe(Progress::Step {
                epoch,
                step: at,
                steps,
                loss: loss / seen as f64,
                accuracy: correct.map(|correct| correct as f64 / seen as f64),
            })
        })?;
        trainer.flush()?;
        if let Some(average) = &mut trainer.average {
            average.swap_in();
        }
        let score = || evaluate_feed(model, validation, options.batch_size);
        let scored = (!validation.samples().is_empty()).then(score).transpose()?;
        let record = EpochRecord {
            epoch,
            train_loss: loss / seen as f64,
            train_accuracy: correct.map(|correct| correct as f64 / seen as f64),
            validation_loss: scored.as_ref().map(Metrics::loss),
            validation_accuracy: scored.as_ref().and_then(Metrics::accuracy),
            validation_score: scored.as_ref().map(Metrics::primary_metric),
            seconds: begun.elapsed().as_secs_f64(),
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

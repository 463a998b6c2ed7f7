//! Fine-tuning: a short loop over [`Tuner::step`].

mod average;
mod finder;
mod frozen;
mod options;
mod record;
mod settle;
mod snapshot;
mod tuner;

use std::{collections::BTreeSet, time::Instant};

use rand::{SeedableRng, seq::SliceRandom};
use tch::Tensor;

pub use finder::{RateCurve, RatePoint, SweepEnd, find_rate};
pub use options::{Balance, Continues, FitOptions, Order, Phase};
pub use record::{EpochRecord, Fitted, Progress};
pub use tuner::{Step, Tuner, peak_rate};

use crate::{
    Batch, Cut, Evaluation, Freeze, Mix, Modality, Model, Result, Rng, Samples,
    cache::{Cache, Views},
    data::balance,
    feed::{self, Feed, Inputs, Prepared, Purpose},
    metrics::evaluate_feed,
};
use average::Average;
use frozen::Fingerprint;
use record::Best;
use settle::Settling;

/// Seeds everything that libtorch draws at random. Before a model is built, this decides its fresh
/// parameters.
pub fn seed(seed: u64) {
    tch::manual_seed(seed as i64);
}

/// Trains a model. With validation samples, the model ends with the parameters of the epoch that had
/// the best [merit](Evaluation::merit) in validation (of equals, the one with the lower loss), and a
/// phase ends early after `patience` epochs without a better one; without them, it ends as the last
/// epoch left it.
///
/// What lies below everything that trains is computed once per sample and phase, and kept in the
/// options' `room`; of samples that are varied only if the option `views` says how often, and never
/// of samples that are mixed.
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
    options.check_for(model.spec().task)?;
    let start = Instant::now();
    let moving = moving(model, options)?;
    let fingerprint = Fingerprint::new(model, &moving)?;
    let inputs = [train, validation].map(|samples| Inputs { modality, samples });
    let mut run = Run::new(model, &inputs, options, &moving);
    for (at, phase) in phases(options).iter().enumerate() {
        if !options.phases.is_empty() {
            phase.freeze.apply(model.store(), model.anatomy())?;
            run.tuner.begin(phase, new_steps(options, at, train.len()));
        }
        let mut freeze = phase.freeze.clone();
        let mut kept = Kept::new(model, &inputs, options, phase.epochs, observe)?;
        let begun = run.epochs.len();
        for epochs_left in (0..phase.epochs).rev() {
            if run.batches_left == 0 {
                break;
            }
            run.epoch(kept.feeds(&inputs), &moving, observe)?;
            let unrewarded = run.epochs.len() - run.best.as_ref().map_or(0, |b| b.epoch).max(begun);
            if run.best.is_some() && options.patience.is_some_and(|p| unrewarded >= p) {
                break;
            }
            let settled = run.tuner.settling.as_mut().and_then(Settling::interval);
            if let Some(part) = settled.filter(|_| epochs_left > 0) {
                freeze = freeze.and(&Freeze::below(part));
                freeze.apply(model.store(), model.anatomy())?;
                run.tuner.refrozen();
                if model.cut() > kept.cut {
                    kept = Kept::new(model, &inputs, options, epochs_left, observe)?;
                }
            }
        }
    }
    if let Some(average) = &mut run.tuner.average {
        average.enter();
    }
    let (epochs, best) = (run.epochs, run.best);
    let best_epoch = best.as_ref().map_or(epochs.len(), |b| b.epoch);
    if let Some(best) = best {
        best.restore();
    }
    let frozen = fingerprint.check(model)?;
    Ok(Fitted { epochs, best_epoch, frozen, seconds: start.elapsed().as_secs_f64() })
}

/// A training under way.
struct Run<'m> {
    tuner: Tuner<'m>,
    model: &'m Model,
    options: &'m FitOptions,
    rng: Rng,
    order: Vec<usize>,
    /// How many batches there may still be.
    batches_left: usize,
    epochs: Vec<EpochRecord>,
    best: Option<Best>,
}

impl<'m> Run<'m> {
    fn new<M: Modality>(
        model: &'m Model,
        [train, _]: &[Inputs<'_, M>; 2],
        options: &'m FitOptions,
        moving: &[String],
    ) -> Self {
        let samples = train.samples;
        let mut tuner = Tuner::new(model, options, options.steps(samples.len()));
        if options.balance == Balance::Weights {
            let classes = model.spec().labels.len();
            let weights = balance::weights(samples.targets(), classes);
            tuner = tuner.with_class_weights(Tensor::from_slice(&weights));
        }
        tuner.average = options.ema.map(|decay| Average::new(model, moving, decay));
        let depth = model.anatomy().depth;
        tuner.settling = options.settle.map(|share| Settling::new(depth, share));
        let most = options.max_steps.map(|steps| steps.saturating_mul(options.accumulate));
        Self {
            tuner,
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
    fn lists(&mut self, train: &Samples) -> Vec<Vec<usize>> {
        let size = self.options.batch_size;
        if self.options.balance == Balance::Sampling {
            self.order = balance::balanced_order(&train.classes(), &mut self.rng);
        } else {
            self.order.shuffle(&mut self.rng);
        }
        match self.options.order {
            Order::Shuffled => self.order.chunks(size).map(<[_]>::to_vec).collect(),
            Order::ByLength => by_length(train, &self.order, size, &mut self.rng),
        }
    }

    /// Trains for an epoch, and evaluates if there is anything to evaluate on.
    fn epoch(
        &mut self,
        [train, validation]: [&dyn Feed; 2],
        moving: &[String],
        observe: &mut dyn FnMut(Progress<'_>) -> Result<()>,
    ) -> Result<()> {
        let (begun, epoch) = (Instant::now(), self.epochs.len() + 1);
        let (model, options) = (self.model, self.options);
        let mut lists = self.lists(train.samples());
        let steps = lists.len();
        lists.truncate(self.batches_left);
        self.batches_left -= lists.len();
        let tuner = &mut self.tuner;
        if let Some(average) = &mut tuner.average {
            average.leave();
        }
        let (mut loss, mut right, mut seen, mut at) = (0., None, 0, 0);
        let purpose = Purpose::Train { seed: options.seed, epoch };
        feed::batches(train, &lists, purpose, |chosen, prepared| {
            let (batch, targets) = ready(model, options, prepared, (epoch, at))?;
            let step = tuner.step_from(&batch, train.cut(), &targets)?;
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
        })?;
        tuner.flush()?;
        if let Some(average) = &mut tuner.average {
            average.enter();
        }
        let score = || evaluate_feed(model, validation, options.batch_size);
        let scored = (!validation.samples().is_empty()).then(score).transpose()?;
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
        self.epochs.push(record);
        let better = |s: &Evaluation| self.best.as_ref().is_none_or(|b| b.is_worse_than(s));
        if let Some(scored) = scored.filter(better) {
            self.best = Some(Best::new(model, moving, epoch, &scored));
        }
        Ok(())
    }
}

/// A batch on the model's device, mixed if it is to be; `number` is that of its epoch and its own.
fn ready(
    model: &Model,
    options: &FitOptions,
    Prepared { batch, targets, .. }: Prepared,
    (epoch, number): (usize, usize),
) -> Result<(Batch, Tensor)> {
    let device = model.classifier().device();
    let (batch, targets) = (batch.to_device(device), targets.to_device(device));
    if options.mix == Mix::default() {
        return Ok((batch, targets));
    }
    let classes = model.spec().labels.len() as i64;
    options.mix.apply(&batch, &targets, classes, &mut feed::rng(!options.seed, epoch, number))
}

/// The phases of a training.
fn phases(options: &FitOptions) -> Vec<Phase> {
    match options.phases.is_empty() {
        true => vec![Phase::of(Freeze::nothing(), options.epochs)],
        false => options.phases.clone(),
    }
}

/// The steps of the schedule that begins with a phase, if one does.
fn new_steps(options: &FitOptions, at: usize, samples: usize) -> Option<usize> {
    let phases = &options.phases[at..];
    if at > 0 && phases[0].schedule == Continues::On {
        return None;
    }
    let more = phases.iter().skip(1).take_while(|s| s.schedule == Continues::On);
    let epochs = phases[0].epochs + more.map(|s| s.epochs).sum::<usize>();
    Some(FitOptions { epochs, ..options.clone() }.steps(samples))
}

/// The names of all that moves in any phase.
fn moving(model: &Model, options: &FitOptions) -> Result<Vec<String>> {
    let names = || model.moving().into_iter().map(|(name, _)| name);
    if options.phases.is_empty() {
        return Ok(names().collect());
    }
    let mut all = BTreeSet::new();
    for phase in &options.phases {
        phase.freeze.apply(model.store(), model.anatomy())?;
        all.extend(names());
    }
    Ok(all.into_iter().collect())
}

/// What is kept of the outputs of frozen parts.
struct Kept<'s> {
    cut: Cut,
    train: Option<Cache<'s>>,
    validation: Option<Cache<'s>>,
}

impl<'s> Kept<'s> {
    /// Computes what will be needed in so many epochs.
    fn new<M: Modality>(
        model: &Model,
        [train, validation]: &[Inputs<'s, M>; 2],
        options: &FitOptions,
        epochs: usize,
        observe: &mut dyn FnMut(Progress<'_>) -> Result<()>,
    ) -> Result<Self> {
        let cut = model.cut();
        let mut kept = Self { cut, train: None, validation: None };
        // In one epoch, everything is computed once anyway.
        let Some(mut room) = options.room.clone().filter(|_| cut > Cut::Inputs && epochs > 1)
        else {
            return Ok(kept);
        };
        let size = options.batch_size;
        let mut cache = |inputs, views| {
            let done = &mut |samples| observe(Progress::Kept { samples });
            Cache::new(model.classifier(), inputs, cut, views, size, &mut room, done).map(Some)
        };
        let count = match train.modality.varies() {
            // Mixed inputs are not what mixed outputs are outputs of.
            _ if options.mix != Mix::default() => 0,
            true => options.views.min(epochs),
            false => 1,
        };
        if count > 0 {
            kept.train = cache(train, Views::Train { seed: options.seed, count })?;
        }
        if !validation.samples.is_empty() {
            kept.validation = cache(validation, Views::Plain)?;
        }
        Ok(kept)
    }

    /// What to train on and what to evaluate on.
    fn feeds<'f, M: Modality>(
        &'f self,
        [train, validation]: &'f [Inputs<'s, M>; 2],
    ) -> [&'f dyn Feed; 2] {
        fn or<'f, M: Modality>(
            cache: &'f Option<Cache<'_>>,
            inputs: &'f Inputs<'_, M>,
        ) -> &'f dyn Feed {
            match cache {
                Some(cache) => cache,
                None => inputs,
            }
        }
        [or(&self.train, train), or(&self.validation, validation)]
    }
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

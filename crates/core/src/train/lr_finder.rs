//! The learning-rate finder (Smith 2017, *Cyclical Learning Rates for Training Neural Networks*,
//! §3.3): a short training in which the rate rises with every step, until the loss diverges.

use serde::{Deserialize, Serialize};

use super::optim::ScheduleKind;
use super::options::FitOptions;
use super::snapshot::Snapshot;
use super::training::{Training, ready};
use crate::error::{Error, Result};
use crate::loader::{Mode, RawInputs, Samples, load_batches};
use crate::modality::Modality;
use crate::model::{Model, TrainableGuard};

/// One step of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LrPoint {
    /// The learning rate of new parameters. That of pretrained ones is in the options' proportion.
    pub rate: f64,
    /// The mean loss over the step's samples, before the step.
    pub loss: f64,
    /// The exponentially weighted mean of the losses so far.
    pub smooth: f64,
}

/// How a sweep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SweepEnd {
    /// At its last rate.
    Last,
    /// The loss rose to a multiple of its minimum, or was not finite any more.
    Diverged,
}

/// The loss over the learning rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LrCurve {
    /// In order of rising rate.
    pub points: Vec<LrPoint>,
    /// How it ended.
    pub end: SweepEnd,
    /// The rate at which the smoothed loss falls fastest, if it falls: a good rate to train at.
    pub steepest: Option<f64>,
    /// A tenth of the rate at which the smoothed loss is least, if it falls: a cautious choice.
    pub tenth_of_least: Option<f64>,
}

/// The decay of the moving average of the losses.
const MEMORY: f64 = 0.9;

/// The first steps, at which that average rests on too few losses to be used.
const WARM: usize = 10;

/// The fewest steps that a curve can be read from.
const FEWEST: usize = 2 * WARM;

/// The sweep ends where the loss is so many times its minimum.
const BURST: f64 = 4.;

/// The fraction of the loss that it has to fall by.
const FALL: f64 = 0.01;

/// Sweeps the learning rate: trains one step at each rate from `from` to `to`, each the same
/// multiple of the one before, until the smoothed loss is four times its minimum, and returns where
/// it fell fastest. It trains what the options' first phase does or, without phases, what is
/// trainable now; `accumulate` batches make a step. Schedule, patience, EMA and AutoFreeze are
/// ignored. Afterwards, all parameters and running statistics are restored, and what was trainable
/// is so again; only libtorch's generator has moved on.
///
/// # Errors
/// If a rate, the number of steps or an option cannot be used, if there are no samples, or if the
/// loss is not finite from the start.
pub fn find_lr<M: Modality>(
    model: &Model,
    modality: &M,
    train: &Samples,
    options: &FitOptions,
    from: f64,
    to: f64,
    steps: usize,
) -> Result<LrCurve> {
    let rates = rates(from, to, steps)?;
    options.check()?;
    options.check_for(model.spec().task)?;
    model.set_precision(options.precision)?;
    if train.is_empty() {
        return Err(Error::setting("--find-lr", "there are no training samples"));
    }
    // Before a phase changes what is trainable.
    let _before = Before::new(model);
    let options = FitOptions {
        schedule: ScheduleKind::Constant,
        warmup: 0.,
        ema: None,
        auto_freeze: None,
        max_steps: None,
        ..options.clone()
    };
    if let Some(phase) = options.phases.first() {
        phase.freeze.apply(model.store(), model.outline())?;
    }
    let inputs = [train, train].map(|samples| RawInputs { modality, samples });
    let mut training = Training::new(model, &inputs, &options, &[]);
    if let Some(phase) = options.phases.first() {
        training.trainer.begin(phase, None);
    }
    let (mut sweep, mut epoch) = (Sweep::new(rates, options.accumulate), 0);
    while sweep.is_on() {
        epoch += 1;
        let mut lists = training.lists(train);
        lists.truncate(sweep.batches_left());
        match training.sweep(&inputs[0], &lists, epoch, &mut sweep) {
            Err(Error::Diverged { .. }) if !sweep.points.is_empty() => {
                sweep.end = Some(SweepEnd::Diverged);
            }
            done => done?,
        }
    }
    Ok(sweep.curve())
}

/// Rates from one to the other, evenly spaced on a logarithmic scale.
fn rates(from: f64, to: f64, steps: usize) -> Result<Vec<f64>> {
    if !(from > 0. && from < to && to.is_finite()) {
        return Err(Error::setting(
            "--find-lr",
            format!("{from:e} to {to:e}: must be above 0 and rising"),
        ));
    }
    if steps < FEWEST {
        return Err(Error::setting(
            "--find-lr",
            format!("{steps} steps; at least {FEWEST} are needed"),
        ));
    }
    let fraction = |at: usize| at as f64 / (steps - 1) as f64;
    Ok((0..steps).map(|at| from * (to / from).powf(fraction(at))).collect())
}

impl Training<'_> {
    /// Goes through the batches of an epoch, each `accumulate` of them at the sweep's next rate.
    fn sweep<M: Modality>(
        &mut self,
        train: &RawInputs<'_, M>,
        lists: &[Vec<usize>],
        epoch: usize,
        sweep: &mut Sweep,
    ) -> Result<()> {
        let (model, trainer, options, mut at) = (self.model, &mut self.trainer, self.options, 0);
        let mode = Mode::Train { seed: options.seed, epoch };
        load_batches(train, lists, mode, model.classifier().device(), |chosen, prepared| {
            let (batch, targets) = ready(model, options, prepared, (epoch, at))?;
            at += 1;
            trainer.set_rate(sweep.rate());
            let step = trainer.step(&batch, &targets)?;
            sweep.add(step.loss, chosen.len());
            match sweep.burst() {
                true => Err(Error::Diverged {
                    step: sweep.points.len(),
                    loss: step.loss,
                    lr: sweep.rate(),
                }),
                false => Ok(()),
            }
        })
    }
}

/// A sweep in progress.
struct Sweep {
    rates: Vec<f64>,
    /// Batches in a step.
    batches: usize,
    points: Vec<LrPoint>,
    /// The sum of the losses of the present step, and its samples and batches.
    step: (f64, usize, usize),
    /// The moving average of the losses, biased towards zero by its start there.
    mean: f64,
    end: Option<SweepEnd>,
}

impl Sweep {
    fn new(rates: Vec<f64>, batches: usize) -> Self {
        Self { rates, batches, points: vec![], step: (0., 0, 0), mean: 0., end: None }
    }

    fn is_on(&self) -> bool {
        self.end.is_none() && self.points.len() < self.rates.len()
    }

    fn batches_left(&self) -> usize {
        (self.rates.len() - self.points.len()) * self.batches - self.step.2
    }

    /// The rate of the present step.
    fn rate(&self) -> f64 {
        self.rates[self.points.len().min(self.rates.len() - 1)]
    }

    /// A batch is done.
    fn add(&mut self, loss: f64, samples: usize) {
        let (sum, seen, batches) = self.step;
        self.step = (sum + loss * samples as f64, seen + samples, batches + 1);
        if self.step.2 < self.batches {
            return;
        }
        let loss = self.step.0 / self.step.1 as f64;
        self.step = (0., 0, 0);
        self.mean = MEMORY * self.mean + (1. - MEMORY) * loss;
        let zeros = MEMORY.powi(self.points.len() as i32 + 1);
        self.points.push(LrPoint { rate: self.rate(), loss, smooth: self.mean / (1. - zeros) });
    }

    fn burst(&self) -> bool {
        let Some(last) = self.points.last() else { return false };
        let least = self.points.iter().map(|point| point.smooth).fold(f64::INFINITY, f64::min);
        self.step.2 == 0 && self.points.len() > WARM && last.smooth > BURST * least
    }

    fn curve(self) -> LrCurve {
        let (steepest, least) = read(&self.points).unzip();
        LrCurve {
            end: self.end.unwrap_or(SweepEnd::Last),
            steepest,
            tenth_of_least: least.map(|rate| rate / 10.),
            points: self.points,
        }
    }
}

/// The rates at which the smoothed loss falls fastest and at which it is least; `None` if it never
/// falls by more than [`FALL`].
fn read(points: &[LrPoint]) -> Option<(f64, f64)> {
    let points = points.get(WARM..)?;
    let by_loss = |a: &&LrPoint, b: &&LrPoint| a.smooth.total_cmp(&b.smooth);
    let least = points.iter().min_by(by_loss)?;
    if least.smooth >= points.first()?.smooth * (1. - FALL) {
        return None;
    }
    // Over several steps: from one to the next, noise dominates.
    let stretch = (points.len() / 8).clamp(1, WARM);
    let falls = points.windows(stretch + 1).filter_map(|some| {
        let (first, last) = (some.first()?, some.last()?);
        let slope = (last.smooth - first.smooth) / (last.rate / first.rate).ln();
        Some(((first.rate * last.rate).sqrt(), slope))
    });
    let (steepest, _) = falls
        .filter(|&(rate, _)| rate <= least.rate)
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .unwrap_or((least.rate, 0.));
    Some((steepest, least.rate))
}

/// All values of a model, and what is trainable; restored on drop.
struct Before {
    values: Snapshot,
    _trains: TrainableGuard,
}

impl Before {
    fn new(model: &Model) -> Self {
        Self { values: Snapshot::whole(model), _trains: TrainableGuard::now(model) }
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        self.values.restore();
    }
}

#[cfg(test)]
mod tests;

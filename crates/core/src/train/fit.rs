//! Fine-tuning: the loop over epochs and phases.

use std::collections::BTreeSet;
use std::time::Instant;

use tch::Kind;

use super::auto_freeze::AutoFreeze;
use super::cached::CachedFeatures;
use super::frozen::FrozenHash;
use super::loss_scaler::LossScaler;
use super::options::FitOptions;
use super::phase::{Phase, PhaseStart};
use super::record::{FitReport, Progress};
use super::training::Training;
use crate::error::{Error, Result};
use crate::loader::{RawInputs, Samples};
use crate::modality::Modality;
use crate::model::{Freeze, Model};

/// Trains a model. With validation samples, the model ends with the parameters of the epoch that
/// had the best [primary metric](crate::task::Metrics::primary_metric) in validation (of equals,
/// the one with the lower loss), and a phase ends early after `patience` epochs without a better
/// one; without them, it ends with those of the last epoch.
///
/// The outputs of the frozen layers below everything that trains are computed once per sample and
/// phase, and cached within the options' `cache_budget`; of augmented samples only if the option `views`
/// asks for it, and never of samples that are mixed.
///
/// # Errors
/// If an option cannot be used, the loss or a parameter is not finite, or the observer fails.
pub fn fit<M: Modality>(
    model: &Model,
    modality: &M,
    train: &Samples,
    validation: &Samples,
    options: &FitOptions,
    observe: &mut dyn FnMut(Progress<'_>) -> Result<()>,
) -> Result<FitReport> {
    options.check()?;
    options.check_for(model.spec().task)?;
    let start = Instant::now();
    model.set_precision(options.precision)?;
    let moving = moving(model, options)?;
    check_whole(model, &moving)?;
    let frozen_hash = FrozenHash::new(model, &moving)?;
    let inputs = [train, validation].map(|samples| RawInputs { modality, samples });
    let mut training = Training::new(model, &inputs, options, &moving);
    for (at, phase) in phases(options).iter().enumerate() {
        if !options.phases.is_empty() {
            phase.freeze.apply(model.store(), model.outline())?;
            training.trainer.begin(phase, new_steps(options, at, train.len()));
        }
        let mut freeze = phase.freeze.clone();
        let mut cached = CachedFeatures::new(model, &inputs, options, phase.epochs, observe)?;
        let begun = training.epochs.len();
        for epochs_left in (0..phase.epochs).rev() {
            if training.batches_left == 0 {
                break;
            }
            match training.epoch(cached.feeds(&inputs), &moving, observe) {
                // The samples are not to blame where it is the weights.
                Err(e @ Error::NoAnswer { .. }) => {
                    check_numbers(model, options.lr)?;
                    return Err(e);
                }
                done => done?,
            }
            let unrewarded =
                training.epochs.len() - training.best.as_ref().map_or(0, |b| b.epoch).max(begun);
            if training.best.is_some() && options.patience.is_some_and(|p| unrewarded >= p) {
                break;
            }
            let stable = training.trainer.auto_freeze.as_mut().and_then(AutoFreeze::interval);
            if let Some(part) = stable.filter(|_| epochs_left > 0) {
                freeze = freeze.and(&Freeze::below(part));
                freeze.apply(model.store(), model.outline())?;
                training.trainer.refrozen();
                if model.cut_point() > cached.cut {
                    cached = CachedFeatures::new(model, &inputs, options, epochs_left, observe)?;
                }
            }
        }
    }
    if let Some(average) = &mut training.trainer.average {
        average.swap_in();
    }
    let skipped_steps = training.trainer.scaler.as_ref().map_or(0, LossScaler::skipped);
    let (epochs, best) = (training.epochs, training.best);
    let best_epoch = best.as_ref().map_or(epochs.len(), |b| b.epoch);
    if let Some(best) = best {
        best.restore();
    }
    check_numbers(model, options.lr)?;
    let frozen = frozen_hash.check(model)?;
    let seconds = start.elapsed().as_secs_f64();
    Ok(FitReport { epochs, best_epoch, frozen, skipped_steps, seconds })
}

/// Checks that nothing that trains is kept in fewer digits than an optimizer needs.
fn check_whole(model: &Model, moving: &[String]) -> Result<()> {
    let variables = model.store().variables();
    let is_half = |name: &&String| variables.get(*name).is_some_and(|t| t.kind() != Kind::Float);
    match moving.iter().find(is_half) {
        Some(name) => {
            let problem =
                format!("`{name}` is kept in bf16 as it was to be frozen; build the model anew");
            Err(Error::setting("--freeze", problem))
        }
        None => Ok(()),
    }
}

/// Checks that a model still consists of numbers.
fn check_numbers(model: &Model, lr: f64) -> Result<()> {
    match model.fault()? {
        Some((name, found)) => Err(Error::DivergedWeights { name, found, lr }),
        None => Ok(()),
    }
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
    if at > 0 && phases[0].schedule == PhaseStart::Continue {
        return None;
    }
    let more = phases.iter().skip(1).take_while(|s| s.schedule == PhaseStart::Continue);
    let epochs = phases[0].epochs + more.map(|s| s.epochs).sum::<usize>();
    Some(FitOptions { epochs, ..options.clone() }.steps(samples))
}

/// The names of all tensors that are updated in any phase.
pub(super) fn moving(model: &Model, options: &FitOptions) -> Result<Vec<String>> {
    let names = || model.updated_tensors().into_iter().map(|(name, _)| name);
    if options.phases.is_empty() {
        return Ok(names().collect());
    }
    let mut all = BTreeSet::new();
    for phase in &options.phases {
        phase.freeze.apply(model.store(), model.outline())?;
        all.extend(names());
    }
    Ok(all.into_iter().collect())
}

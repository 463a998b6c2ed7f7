//! Fine-tuning: a short loop over epochs and phases.

use std::collections::BTreeSet;
use std::time::Instant;

use super::auto_freeze::AutoFreeze;
use super::cached::CachedFeatures;
use super::frozen::FrozenHash;
use super::options::FitOptions;
use super::phase::{Phase, PhaseStart};
use super::record::{FitReport, Progress};
use super::training::Training;
use crate::error::Result;
use crate::loader::{RawInputs, Samples};
use crate::modality::Modality;
use crate::model::{Freeze, Model};

/// Trains a model. With validation samples, the model ends with the parameters of the epoch that had
/// the best [primary_metric](Metrics::primary_metric) in validation (of equals, the one with the lower loss), and a
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
) -> Result<FitReport> {
    options.check()?;
    options.check_for(model.spec().task)?;
    let start = Instant::now();
    let moving = moving(model, options)?;
    let frozen_hash = FrozenHash::new(model, &moving)?;
    let inputs = [train, validation].map(|samples| RawInputs { modality, samples });
    let mut run = Training::new(model, &inputs, options, &moving);
    for (at, phase) in phases(options).iter().enumerate() {
        if !options.phases.is_empty() {
            phase.freeze.apply(model.store(), model.outline())?;
            run.trainer.begin(phase, new_steps(options, at, train.len()));
        }
        let mut freeze = phase.freeze.clone();
        let mut kept = CachedFeatures::new(model, &inputs, options, phase.epochs, observe)?;
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
            let settled = run.trainer.auto_freeze.as_mut().and_then(AutoFreeze::interval);
            if let Some(part) = settled.filter(|_| epochs_left > 0) {
                freeze = freeze.and(&Freeze::below(part));
                freeze.apply(model.store(), model.outline())?;
                run.trainer.refrozen();
                if model.cut_point() > kept.cut {
                    kept = CachedFeatures::new(model, &inputs, options, epochs_left, observe)?;
                }
            }
        }
    }
    if let Some(average) = &mut run.trainer.average {
        average.swap_in();
    }
    let (epochs, best) = (run.epochs, run.best);
    let best_epoch = best.as_ref().map_or(epochs.len(), |b| b.epoch);
    if let Some(best) = best {
        best.restore();
    }
    let frozen = frozen_hash.check(model)?;
    Ok(FitReport { epochs, best_epoch, frozen, seconds: start.elapsed().as_secs_f64() })
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

/// The names of all that moves in any phase.
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

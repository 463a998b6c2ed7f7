//! Fine-tuning: the loop over epochs and phases.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use serde_json::json;
use tch::Kind;

use super::auto_freeze::AutoFreeze;
use super::cached::CachedFeatures;
use super::distributed;
use super::frozen::{FrozenHash, digest};
use super::loss_scaler::LossScaler;
use super::options::FitOptions;
use super::phase::{Phase, PhaseStart};
use super::record::{FitReport, Progress};
use super::resume::{Checkpoints, Conditions, Parts, Resumable};
use super::saver::{Place, Saver};
use super::training::Training;
use crate::distributed::several;
use crate::error::{Error, Result};
use crate::loader::{RawInputs, Samples};
use crate::modality::Modality;
use crate::model::{Freeze, Model};
use crate::nn::CutPoint;

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
    let inputs = [train, validation].map(|samples| RawInputs { modality, samples });
    fit_from(model, &inputs, options, None, observe)
}

/// The same, so that it can be stopped at any moment and goes on where it was: it leaves checkpoints
/// in a folder, and goes on from the last one in it, if there is one. Model, samples and options are
/// made anew as for the first call, and the model ends with the same values, to the last bit, as if the
/// training had never been stopped; so does the report, but for the seconds.
///
/// # Errors
/// As [`fit`]; if the last checkpoint is one of another training, or of another version; and
/// [`Error::Interrupted`] after a step for which [`Checkpoints::stop_when`] said so.
pub fn fit_resumable<M: Modality>(
    model: &Model,
    modality: &M,
    [train, validation]: [&Samples; 2],
    options: &FitOptions,
    checkpoints: &Checkpoints<'_>,
    observe: &mut dyn FnMut(Progress<'_>) -> Result<()>,
) -> Result<FitReport> {
    let inputs = [train, validation].map(|samples| RawInputs { modality, samples });
    fit_from(model, &inputs, options, Some(checkpoints), observe)
}

fn fit_from<M: Modality>(
    model: &Model,
    inputs: &[RawInputs<'_, M>; 2],
    options: &FitOptions,
    checkpoints: Option<&Checkpoints<'_>>,
    observe: &mut dyn FnMut(Progress<'_>) -> Result<()>,
) -> Result<FitReport> {
    options.check()?;
    options.check_for(model.spec().task)?;
    let start = Instant::now();
    model.set_precision(options.precision)?;
    distributed::begin(model, inputs.each_ref().map(|inputs| inputs.samples.len()), options)?;
    let moving = moving(model, options)?;
    check_whole(model, &moving)?;
    let frozen_hash = FrozenHash::new(model, &moving)?;
    let mut training = Training::new(model, inputs, options, &moving);
    let mut saved = None;
    if let Some(checkpoints) = checkpoints {
        let digests = [&*digest(model, &moving)?, frozen_hash.digest()];
        let now = conditions(model, inputs, options, digests, checkpoints)?;
        let mut saver = Saver::new(checkpoints, now);
        saved = saver.newest()?;
        training.saver = Some(saver);
    }
    for (at, phase) in phases(options).iter().enumerate() {
        if !options.phases.is_empty() {
            phase.freeze.apply(model.store(), model.outline())?;
            training.trainer.begin(phase, new_steps(options, at, inputs[0].samples.len()));
        }
        training.moved = training.moved.min(model.cut_point());
        let first = Place {
            phase: at,
            begun: training.epochs.len(),
            epochs_left: phase.epochs.saturating_sub(1),
            cached_for: phase.epochs,
            freeze: phase.freeze.clone(),
        };
        match saved.take() {
            // Its phases have begun, one after another, as they had then.
            Some((parts, place)) if at < place.phase => saved = Some((parts, place)),
            Some((parts, place)) => {
                training.resume(&parts, &phase.freeze, &place, observe)?;
                training.phase(inputs, place, observe)?;
            }
            None if phase.epochs > 0 => training.phase(inputs, first, observe)?,
            None => {}
        }
    }
    if let Some(average) = &mut training.trainer.average {
        average.swap_in();
    }
    let before = training.saver.as_ref().map_or(0., Saver::before);
    let skipped_steps = training.trainer.scaler.as_ref().map_or(0, LossScaler::skipped);
    let (epochs, best) = (training.epochs, training.best);
    let best_epoch = best.as_ref().map_or(epochs.len(), |b| b.epoch);
    if let Some(best) = best {
        best.restore();
    }
    check_numbers(model, options.lr)?;
    let frozen = frozen_hash.check(model)?;
    let seconds = before + start.elapsed().as_secs_f64();
    Ok(FitReport { epochs, best_epoch, frozen, skipped_steps, seconds })
}

impl Training<'_> {
    /// Goes on from a checkpoint in a phase that has begun anew.
    fn resume(
        &mut self,
        parts: &Parts,
        phase: &Freeze,
        place: &Place,
        observe: &mut dyn FnMut(Progress<'_>) -> Result<()>,
    ) -> Result<()> {
        if place.freeze != *phase {
            place.freeze.add_to(self.model.store(), self.model.outline());
            self.trainer.refrozen();
        }
        self.load(parts)?;
        observe(Progress::Resumed { epochs: &self.epochs, step: self.done.batches })
    }

    /// Trains for the epochs of a phase, from a place in it.
    fn phase<M: Modality>(
        &mut self,
        inputs: &[RawInputs<'_, M>; 2],
        mut place: Place,
        observe: &mut dyn FnMut(Progress<'_>) -> Result<()>,
    ) -> Result<()> {
        let (model, options) = (self.model, self.options);
        self.between_epochs();
        let mut cached = self.cached(inputs, &place, observe)?;
        loop {
            if self.steps_left == 0 {
                return Ok(());
            }
            match self.epoch(cached.feeds(inputs), observe) {
                // The samples are not to blame where it is the weights.
                Err(e @ Error::NoAnswer { .. }) => {
                    check_numbers(model, options.lr)?;
                    return Err(e);
                }
                done => done?,
            }
            distributed::check_parameters(model)?;
            let best = self.best.as_ref().map_or(0, |best| best.epoch);
            let unrewarded = self.epochs.len() - best.max(place.begun);
            if self.best.is_some() && options.patience.is_some_and(|p| unrewarded >= p) {
                return Ok(());
            }
            let stable = self.trainer.auto_freeze.as_mut().and_then(AutoFreeze::interval);
            let Some(epochs_left) = place.epochs_left.checked_sub(1) else { return Ok(()) };
            if let Some(part) = stable {
                place.freeze = place.freeze.and(&Freeze::below(part));
                place.freeze.add_to(model.store(), model.outline());
                self.trainer.refrozen();
            }
            let recached = stable.is_some() && self.cut() > cached.cut;
            if recached {
                place.cached_for = place.epochs_left;
            }
            place.epochs_left = epochs_left;
            self.between_epochs();
            if let Some(saver) = &mut self.saver {
                saver.place = place.clone();
            }
            if self.steps_left > 0 {
                self.after_epoch(observe)?;
            }
            if recached {
                cached = self.cached(inputs, &place, observe)?;
            }
        }
    }

    /// Up to where outputs are the same from now on in training and in validation. Of what has moved
    /// before it was frozen, the averaged values, which are those of validation, are others, and move on.
    fn cut(&self) -> CutPoint {
        let frozen = self.model.cut_point();
        if self.options.ema.is_some() { frozen.min(self.moved) } else { frozen }
    }

    /// Caches the outputs of what is frozen at a place, unless the training is to end.
    fn cached<'s, M: Modality>(
        &mut self,
        inputs: &[RawInputs<'s, M>; 2],
        place: &Place,
        observe: &mut dyn FnMut(Progress<'_>) -> Result<()>,
    ) -> Result<CachedFeatures<'s>> {
        if let Some(saver) = &mut self.saver {
            saver.place = place.clone();
        }
        let cut = self.cut();
        let saver = self.saver.as_ref();
        let mut stopped = false;
        let cached = CachedFeatures::new(
            self.model,
            cut,
            inputs,
            self.options,
            place.cached_for,
            &mut |progress| {
                observe(progress)?;
                // Several processes end together, after a step.
                stopped = saver.is_some_and(Saver::is_stop_asked) && several().is_none();
                match stopped {
                    true => Err(Error::Interrupted { checkpoint: PathBuf::new() }),
                    false => Ok(()),
                }
            },
        );
        if stopped {
            self.stop()?;
        }
        cached
    }
}

/// The conditions of a training that is about to begin, with the digests of what moves and of what does
/// not.
fn conditions<M: Modality>(
    model: &Model,
    inputs: &[RawInputs<'_, M>; 2],
    options: &FitOptions,
    [moving, frozen]: [&str; 2],
    checkpoints: &Checkpoints<'_>,
) -> Result<Conditions> {
    let unwritable = |e: serde_json::Error| Error::setting("the options", e.to_string());
    let mut asked = serde_json::to_value(options).map_err(unwritable)?;
    asked["feature_cache"] = options.cache_budget.is_some().into();
    let spec = serde_json::to_value(model.spec()).map_err(unwritable)?;
    let model_is = json!({ "spec": spec, "parameters": moving, "frozen": frozen });
    let samples = inputs.each_ref().map(|inputs| inputs.samples);
    let device = model.classifier().device();
    Ok(Conditions::new(model_is, samples, asked, device, checkpoints.caller_conditions()))
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

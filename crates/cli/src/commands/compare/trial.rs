//! One training of one arm.

use anyhow::{Context, Result};
use crosstune_core::{
    CacheBudget, Checkpoints, Dataset, Error, FitOptions, Modality, Model, Overrides, Progress,
    Recipe, RecipePlan, Samples, Splits, Task, WeightInit, evaluate, fit_resumable,
    loader::refuse_bad,
    predict::{scored, too_short},
    task::{Calibration, CalibrationMethod, ThresholdMethod},
};
use crosstune_report::{ArmKind, ErrorExample, Metric, Point, Run, Trial};

use super::error_examples::{self, Wrong};
use super::figures::Figures;
use super::progress::Progressing;
use super::sentences::{self, Answered};
use crate::{
    args::FitArgs,
    setup::job::{Built, TransferJob},
};

/// What all trainings of a comparison share.
pub(super) struct Experiment<'a, M> {
    job: &'a TransferJob<'a>,
    fit: &'a FitArgs,
    /// Before its survey of a training set.
    modality: M,
    data: &'a Dataset,
    memory: usize,
    /// Most points on a learning curve.
    points: usize,
}

/// A training set, read and prepared.
pub(super) struct TrainingSet<M> {
    data: Dataset,
    modality: M,
    splits: Splits,
}

impl<'a, M: Modality> Experiment<'a, M> {
    pub(super) fn new(
        job: &'a TransferJob<'a>,
        fit: &'a FitArgs,
        modality: M,
        data: &'a Dataset,
        memory: usize,
        points: usize,
    ) -> Result<Self> {
        fit.options().check()?;
        Ok(Self { job, fit, modality, data, memory, points })
    }

    /// A number of samples of each class, or of all where the answer is a sequence, chosen by the seed;
    /// `None`: all.
    pub(super) fn subset(&self, per_class: Option<usize>, seed: u64) -> Result<Dataset> {
        let mut data = self.data.clone();
        // The trainings themselves need no validation split.
        data.train.append(&mut data.validation);
        match per_class {
            Some(limit) if data.task.is_sequence() => data.limit(limit, seed),
            Some(limit) => data.limit_per_class(limit, seed)?,
            None => {}
        }
        Ok(data)
    }

    /// The training set, with a fraction of it held out to choose rates by. The test split is not
    /// used.
    pub(super) fn held_out(&self, mut data: Dataset, fraction: f64) -> Result<TrainingSet<M>> {
        data.test.clear();
        data.hold_out(fraction, 0)?;
        self.read(data)
    }

    /// The training set of a seed, with the test split.
    pub(super) fn drawn(&self, per_class: Option<usize>, seed: u64) -> Result<TrainingSet<M>> {
        self.read(self.subset(per_class, seed)?)
    }

    fn read(&self, data: Dataset) -> Result<TrainingSet<M>> {
        let mut modality = self.modality.clone();
        let (splits, bad) = Splits::read(&mut modality, &data, self.memory, || ())?;
        if !bad.is_empty() {
            return Err(Error::BadSamples(bad).into());
        }
        Ok(TrainingSet { data, modality, splits })
    }

    /// The plan of an arm at a learning rate.
    fn plan(&self, kind: ArmKind, lr: f64, epochs: usize) -> Result<RecipePlan> {
        let TransferJob { args, outline, plan, source, .. } = self.job;
        let form = source.config().trunk.accepts();
        let pretrained_lr = Some(lr * plan.pretrained_lr / plan.lr);
        let choices = Overrides { lr: Some(lr), pretrained_lr, ..self.fit.choices(args) };
        let plan = |recipe: Recipe, init, choices| {
            recipe.plan(*outline, form, epochs, Overrides { init: Some(init), ..choices })
        };
        let mut plan = match kind {
            ArmKind::Transfer => plan(args.recipe, self.job.plan.init, choices)?,
            ArmKind::RandomFrozen => plan(args.recipe, WeightInit::Random, choices)?,
            ArmKind::Shuffled => plan(args.recipe, WeightInit::Shuffled, choices)?,
            ArmKind::Scratch => {
                let schedule = choices.schedule;
                let own = Overrides {
                    lr: Some(lr),
                    pretrained_lr: Some(lr),
                    schedule,
                    ..Default::default()
                };
                plan(Recipe::Scratch, WeightInit::Random, own)?
            }
        };
        // A control has no source to be aligned with.
        plan.align &= kind == ArmKind::Transfer;
        Ok(plan)
    }

    fn options(&self, plan: &RecipePlan, seed: u64, epochs: usize) -> FitOptions {
        let cache_budget = Some(CacheBudget { memory: self.memory, ..CacheBudget::default() });
        plan.apply(FitOptions { epochs, seed, patience: None, cache_budget, ..self.fit.options() })
    }

    /// Tries learning rates on held-out samples.
    pub(super) fn trials(
        &self,
        kind: ArmKind,
        held: &TrainingSet<M>,
        size: usize,
        rates: &[f64],
        epochs: usize,
        progress: &Progressing,
    ) -> Result<Vec<Trial>> {
        let one = |&lr: &f64, name: &str| {
            let plan = self.plan(kind, lr, epochs)?;
            let options = self.options(&plan, 0, epochs);
            let Built { model, .. } = self.build(&plan, held, 0)?;
            let TrainingSet { modality, splits, .. } = held;
            let none = Samples::default();
            let (samples, checkpoints) = ([&splits.train, &none], progress.checkpoints(name)?);
            let nobody = &mut |_: Progress<'_>| Ok(());
            let trained = fit_resumable(&model, modality, samples, &options, &checkpoints, nobody);
            let measured = trained
                .and_then(|_| held_out(&model, modality, &splits.validation, options.batch_size));
            let task = self.data.task;
            let (held_out, temperature) = match measured {
                Ok(measured) => measured,
                // A rate at which the training diverges is a bad one, not a failure.
                Err(
                    Error::Diverged { .. } | Error::DivergedWeights { .. } | Error::NoAnswer { .. },
                ) if task.lower_is_better() => (WORST_RATE, None),
                Err(
                    Error::Diverged { .. } | Error::DivergedWeights { .. } | Error::NoAnswer { .. },
                ) => (0., None),
                Err(e) => return Err(e.into()),
            };
            Ok(Trial { size, lr, pretrained_lr: plan.pretrained_lr, held_out, temperature })
        };
        let kept = |lr: &f64| {
            let name = format!("trial-{kind:?}-{size}-{lr:e}");
            progress.done(&name, &held.splits, || one(lr, &name))
        };
        rates.iter().map(kept).collect()
    }

    fn build(&self, plan: &RecipePlan, drawn: &TrainingSet<M>, seed: u64) -> Result<Built> {
        let (device, train) = (self.fit.device()?, &drawn.splits.train);
        let built =
            self.job.model(plan, &drawn.modality, &drawn.data, &drawn.splits, seed, device)?;
        let at_once = self.fit.options().batch_size;
        let short = too_short(&built.model, &drawn.modality, train, at_once, seed)?;
        // All arms learn of the same samples, and how many positions there are is the same for all.
        refuse_bad(short.iter().map(|one| one.bad(train)).collect(), false, true)?;
        Ok(built)
    }

    /// Trains with the best rate, and tests, unless that is done. `shown`: how many errors to show.
    pub(super) fn run(
        &self,
        kind: ArmKind,
        drawn: &TrainingSet<M>,
        rate: &Trial,
        (seed, epochs): (u64, usize),
        shown: usize,
        progress: &Progressing,
    ) -> Result<(Run, Vec<ErrorExample>)> {
        let name = format!("run-{kind:?}-{}-{seed}", drawn.splits.train.len());
        progress.done(&name, &drawn.splits, || {
            let checkpoints = progress.checkpoints(&name)?;
            self.tested(kind, drawn, rate, (seed, epochs), shown, (progress, &checkpoints))
        })
    }

    fn tested(
        &self,
        kind: ArmKind,
        drawn: &TrainingSet<M>,
        rate: &Trial,
        (seed, epochs): (u64, usize),
        shown: usize,
        (progress, checkpoints): (&Progressing, &Checkpoints<'_>),
    ) -> Result<(Run, Vec<ErrorExample>)> {
        let plan = self.plan(kind, rate.lr, epochs)?;
        let options = self.options(&plan, seed, epochs);
        let Built { model, trained, frozen, .. } = self.build(&plan, drawn, seed)?;
        let model = model.with_calibration(rate.temperature.map(Calibration::of_temperature));
        let TrainingSet { data, modality, splits } = drawn;
        let test = || evaluate(&model, modality, &splits.test, options.batch_size);
        let mut curve = vec![Point { epoch: 0, seconds: 0., value: test()?.primary_metric() }];
        progress.keep_curve(&curve)?;
        let (mut last, mut seconds) = (None, 0.);
        let every = epochs.div_ceil(self.points);
        let nothing = Samples::default();
        let samples = [&splits.train, &nothing];
        fit_resumable(&model, modality, samples, &options, checkpoints, &mut |told| {
            if let Progress::Resumed { epochs, .. } = told {
                seconds = epochs.iter().map(|record| record.seconds).sum();
                curve = progress.curve(epochs);
            }
            if let Progress::Epoch(record) = told {
                let epoch = record.epoch;
                seconds += record.seconds;
                if epoch == 1 || epoch == epochs || epoch % every == 0 {
                    let tested = test()?;
                    curve.push(Point { epoch, seconds, value: tested.primary_metric() });
                    last = Some(tested);
                    progress.keep_curve(&curve)?;
                }
            }
            Ok(())
        })?;
        let tested = match last {
            Some(tested) => tested,
            None => test()?,
        };
        let Figures { value, second, loss, confusion, calibration } =
            Figures::of(tested).context("no figures to compare by")?;
        let size = splits.train.len();
        let answered = match data.task.is_sequence() {
            true => {
                let (test, at_once) = (&splits.test, options.batch_size);
                sentences::answered(&model, modality, &data.test, test, at_once)?
            }
            false => vec![],
        };
        let run = Run {
            size,
            seed,
            lr: plan.lr,
            pretrained_lr: plan.pretrained_lr,
            value,
            second,
            loss,
            confusion,
            calibration,
            counts: answered.iter().map(|of: &Answered| of.counts).collect(),
            curve,
            seconds,
            trained,
            frozen,
        };
        let wrong = match shown {
            0 => vec![],
            most if data.task.is_sequence() => {
                error_examples::worst_sentences(&model, modality, &data.test, answered, most)?
            }
            most => error_examples::worst(&model, modality, &data.test, &splits.test, most)?,
        };
        let example =
            |Wrong { place, truth, answers, sentence, media, explanation, asked }| ErrorExample {
                arm: kind,
                size,
                seed,
                place,
                truth,
                answers,
                sentence,
                media,
                explanation,
                asked,
            };
        Ok((run, wrong.into_iter().map(example).collect()))
    }
}

/// The metric on samples that were held out, and the temperature that fits the logits of classes there.
fn held_out<M: Modality>(
    model: &Model,
    modality: &M,
    samples: &Samples,
    batch_size: usize,
) -> crosstune_core::Result<(f64, Option<f64>)> {
    let config = model.spec().task_config();
    if config.task != Task::SingleLabel {
        return Ok((evaluate(model, modality, samples, batch_size)?.primary_metric(), None));
    }
    let scored = scored(model, modality, samples, batch_size)?;
    let fitted =
        scored.calibration(config, CalibrationMethod::Temperature, ThresholdMethod::Half)?;
    let metric = scored.metrics(config)?.primary_metric();
    Ok((metric, fitted.and_then(|fitted| fitted.temperature)))
}

/// An error rate above that of any model that learns: words may be put in without end.
const WORST_RATE: f64 = 1e4;

/// The rate that is best on held-out samples at a size; of equals, the lowest.
pub(super) fn best<'t>(trials: &'t [Trial], size: usize, metric: &Metric) -> Option<&'t Trial> {
    let mut of_size: Vec<_> = trials.iter().filter(|t| t.size == size).collect();
    of_size.sort_by(|a, b| a.lr.total_cmp(&b.lr));
    of_size.into_iter().reduce(
        |best, t| {
            if metric.is_better(t.held_out, best.held_out) { t } else { best }
        },
    )
}

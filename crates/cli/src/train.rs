//! `train`: from a pretrained model and labelled samples to a run folder.

use std::time::Instant;

use anyhow::Result;
use crosstune_core::{
    Anatomy, BadSample, Cut, Dataset, Error, Evaluation, FitOptions, Fitted, Freeze, LoadReport,
    MatmulPrecision, Modality, Model, Moments, Origin, Parts, Plan, Pretrained, Progress, Recipe,
    Room, RunWriter, Spec, Splits, Statistics, Task, fit,
};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::{
    ModalityArgs,
    args::{HeadArg, TrainArgs},
    figures::{figures, share},
    format::{count, line, percent, seconds, shape},
    process, progress, weights,
};

/// `result.json`: how the run came about and what it came to.
#[derive(Debug, Serialize)]
struct RunResult {
    version: &'static str,
    weights: String,
    data: String,
    recipe: Recipe,
    init: Origin,
    freeze: Freeze,
    statistics: Statistics,
    matmul_precision: MatmulPrecision,
    options: FitOptions,
    samples: Counts,
    parameters: Parameters,
    loaded: LoadReport,
    course: Fitted,
    /// On the validation split, with the parameters that were kept.
    validation: Option<Evaluation>,
    /// On the test split.
    test: Option<Evaluation>,
    cost: Cost,
}

#[derive(Debug, Serialize)]
struct Counts {
    train: usize,
    validation: usize,
    test: usize,
    /// Samples that could not be read and were left out, with the reasons.
    skipped: Vec<String>,
    /// Files that are no samples, by their ending.
    ignored: Vec<(String, usize)>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct Parameters {
    trained: usize,
    frozen: usize,
}

#[derive(Debug, Serialize)]
struct Cost {
    /// From the start of the process to the first step.
    seconds_to_first_batch: f64,
    /// Median.
    seconds_per_step: f64,
    /// From the start of the process to the end of the final evaluation.
    seconds: f64,
    peak_memory_mib: Option<f64>,
}

/// The file in a run folder that tells where the labels stood.
pub(crate) const LAYOUT: &str = "layout.json";

pub(crate) fn train<A: ModalityArgs>(args: TrainArgs<A>) -> Result<()> {
    process::age(); // Where the system does not tell, the count begins here.
    if !(0.0..1.0).contains(&args.validation) {
        return Err(setting("--validation", "must be a share from 0 to below 1"));
    }
    let mut modality: A::Modality = args.modality.args.clone().try_into()?;
    let weights = weights::local(&args.weights)?;
    let mut source = Pretrained::open_as(weights, args.family.as_deref())?;
    if let Some(share) = args.dropout {
        source = source.with_dropout(share)?;
    }
    let embedder = modality.adopt(&source)?;
    let trunk = &source.family().trunk;
    let anatomy = Anatomy { depth: trunk.depth(), embedder };
    let choices = args.fit.choices(args.init, args.freeze.clone());
    let plan = args.recipe.plan(anatomy, trunk.accepts(), args.fit.options().epochs, choices)?;
    let mut options = plan.apply(args.fit.options());
    options.check()?;
    let matmul_precision = MatmulPrecision::from(args.fit.matmul_precision);
    matmul_precision.apply()?;
    // Of an architecture alone, this says so before any data is read.
    let dialect = match plan.init {
        Origin::Pretrained => Some(source.source()?),
        Origin::Fresh => None,
    };
    let task = args.layout.task().unwrap_or_default();
    task.check(&options)?;
    plan.freeze.check(anatomy)?;
    let data = dataset::<A>(&args)?;
    let run = RunWriter::create(&args.out, args.overwrite)?;
    options.room = Room { memory: args.memory.0, folder: run.folder().to_path_buf() };

    say("source", format!("{}, {}", args.weights.display(), describe(&source)));
    say_data::<A::Modality>(&data);
    let (splits, skipped) = read(&mut modality, &data, args.memory.0, args.skip_bad)?;

    fit::seed(options.seed);
    let mut spec = Spec::new::<A::Modality>(&source, embedder, data.labels.clone())
        .for_task(task, &splits.train)?;
    match args.head {
        HeadArg::New => spec.pool = args.pool.into(),
        HeadArg::Kept => spec = spec.with_head_of(&source),
    }
    if let Some(share) = args.dropout {
        spec.trunk = spec.trunk.with_dropout(share);
    }
    let parts = if args.head == HeadArg::Kept { Parts::BodyAndHead } else { Parts::Body };
    let taken = dialect.as_ref().map(|dialect| (dialect, parts));
    let model = Model::new(spec, &modality, taken, args.fit.device.0)?;
    let model = model.with_statistics(args.statistics.into());
    let joint = match (args.no_match, plan.init) {
        (false, Origin::Pretrained) => Moments::of(&source)?,
        _ => None,
    };
    model.settle(&modality, &splits.train, joint.as_ref());
    let (trained, frozen) = plan.freeze.apply(model.store(), anatomy)?;
    say_model(&model, &plan, Parameters { trained, frozen });
    if args.verbose {
        say_names(model.report());
    }
    say_phases(&options);

    let (course, first_batch, step) = fitted(&model, &modality, &splits, &options, &run)?;
    let evaluate = |samples: &crosstune_core::Samples| {
        let score = || Evaluation::of(&model, &modality, samples, options.batch_size);
        (!samples.is_empty()).then(score).transpose()
    };
    let result = RunResult {
        version: env!("CARGO_PKG_VERSION"),
        weights: args.weights.display().to_string(),
        data: args.data.display().to_string(),
        recipe: args.recipe,
        init: plan.init,
        freeze: plan.freeze,
        statistics: args.statistics.into(),
        matmul_precision,
        samples: Counts {
            train: splits.train.len(),
            validation: splits.validation.len(),
            test: splits.test.len(),
            skipped: skipped.iter().map(ToString::to_string).collect(),
            ignored: data.ignored.clone(),
        },
        parameters: Parameters { trained, frozen },
        loaded: model.report().clone(),
        validation: evaluate(&splits.validation)?,
        test: evaluate(&splits.test)?,
        cost: Cost {
            seconds_to_first_batch: first_batch,
            seconds_per_step: step,
            seconds: process::age().as_secs_f64(),
            peak_memory_mib: process::peak_memory_mib(),
        },
        options,
        course,
    };
    run.json(LAYOUT, &args.layout)?;
    run.finish(&model, &modality, &result)?;
    say_result(&result);
    say("saved", args.out.display());
    Ok(())
}

fn setting(setting: &'static str, problem: &str) -> anyhow::Error {
    Error::Setting { setting, problem: problem.into() }.into()
}

fn say(name: &str, text: impl std::fmt::Display) {
    eprintln!("{}", line(name, text));
}

fn dataset<A: ModalityArgs>(args: &TrainArgs<A>) -> Result<Dataset> {
    let layout = args.layout.layout::<A::Modality>()?;
    let mut data = Dataset::open(&args.data, &layout)?;
    if let Some(path) = &args.eval_data {
        data = data.with_test(path, &layout)?;
    }
    match args.limit_per_class {
        Some(0) => return Err(setting("--limit-per-class", "must be at least 1")),
        Some(limit) => data.limit_per_class(limit, args.fit.seed)?,
        None => {}
    }
    if let (Some(folds), Some(fold)) = (args.folds, args.fold) {
        data.fold(folds, fold, args.fit.seed)?;
    }
    data.hold_out(args.validation, args.fit.seed)?;
    Ok(data)
}

fn read<M: Modality>(
    modality: &mut M,
    data: &Dataset,
    memory: usize,
    skip_bad: bool,
) -> Result<(Splits, Vec<BadSample>)> {
    let all = data.train.len() + data.validation.len() + data.test.len();
    let bar = progress::reading(all, M::SAMPLES);
    let read = Splits::read(modality, data, memory, || bar.inc(1));
    bar.finish_and_clear();
    let (splits, bad) = read?;
    if bad.is_empty() || skip_bad {
        if !bad.is_empty() {
            say("skipped", format!("{} that cannot be read; result.json lists them", bad.len()));
        }
        return Ok((splits, bad));
    }
    Err(Error::BadSamples(bad).into())
}

/// Trains, and returns the course, the time to the first step and the median time of a step.
fn fitted<M: Modality>(
    model: &Model,
    modality: &M,
    splits: &Splits,
    options: &FitOptions,
    run: &RunWriter,
) -> Result<(Fitted, f64, f64)> {
    let batches = splits.train.len().div_ceil(options.batch_size) * options.epochs;
    let most = options.max_steps.map_or(usize::MAX, |n| n.saturating_mul(options.accumulate));
    let bar = progress::training(batches.min(most));
    let first_batch = process::age().as_secs_f64();
    let (mut last, mut times, mut kept) = (Instant::now(), vec![], 0);
    let (train, validation) = (&splits.train, &splits.validation);
    let course = fit::fit(model, modality, train, validation, options, &mut |p| {
        match p {
            Progress::Kept { samples } => {
                kept += samples;
                bar.set_message(format!("frozen parts computed once for {kept} {}", M::SAMPLES));
            }
            Progress::Step { epoch, loss, accuracy, .. } => {
                times.push(last.elapsed().as_secs_f64());
                bar.set_prefix(format!("epoch {epoch}/{}", options.epochs));
                let accuracy = accuracy.map(|share| format!("  accuracy {}", percent(share)));
                bar.set_message(format!("loss {loss:.3}{}", accuracy.unwrap_or_default()));
                bar.inc(1);
            }
            Progress::Epoch(record) => {
                run.metric(record)?;
                show_epoch(&bar, record, options.epochs, model.spec().task);
            }
        }
        last = Instant::now();
        Ok(())
    });
    bar.finish_and_clear();
    times.sort_by(f64::total_cmp);
    let median = times.get(times.len() / 2).copied().unwrap_or_default();
    Ok((course?, first_batch, median))
}

fn show_epoch(bar: &ProgressBar, record: &crosstune_core::EpochRecord, epochs: usize, task: Task) {
    let validation = match (record.validation_loss, record.validation_merit) {
        (Some(loss), Some(merit)) => {
            format!("   validation loss {loss:.3}, {} {}", task.merit(), share(task, merit))
        }
        _ => String::new(),
    };
    let accuracy = record.train_accuracy.map(|right| format!(", accuracy {}", percent(right)));
    let text = format!(
        "{}/{epochs}  loss {:.3}{}{validation}   {}",
        record.epoch,
        record.train_loss,
        accuracy.unwrap_or_default(),
        seconds(record.seconds),
    );
    bar.suspend(|| say("epoch", text));
}

fn describe(source: &Pretrained) -> String {
    let family = source.family();
    let trunk = shape(&family.trunk);
    match source.has_weights() {
        true => format!("{} trained on {}: {trunk}", family.name, family.modality),
        false => format!("an architecture without weights: {trunk}"),
    }
}

fn say_data<M: Modality>(data: &Dataset) {
    let splits = [(&data.validation, "validation"), (&data.test, "test")];
    let others: String = splits
        .iter()
        .filter(|(items, _)| !items.is_empty())
        .map(|(items, name)| format!(", {} for {name}", count(items.len())))
        .collect();
    let train = count(data.train.len());
    let asked = match (data.task, &data.labels[..]) {
        (Task::SingleLabel, classes) => format!("{} classes", classes.len()),
        (Task::MultiLabel, labels) => format!("{} labels, any number of which apply", labels.len()),
        (Task::Regression, values) => format!("numbers: {}", values.join(", ")),
    };
    say("data", format!("{train} {} to train on{others}; {asked}", M::SAMPLES));
    if !data.ignored.is_empty() {
        let kinds: Vec<_> =
            data.ignored.iter().map(|(e, n)| format!("{} .{e}", count(*n))).collect();
        say("ignored", format!("files of other sorts: {}", kinds.join(", ")));
    }
}

fn say_model(model: &Model, plan: &Plan, n: Parameters) {
    let embedder = match (model.spec().embedder, plan.init) {
        (Origin::Pretrained, Origin::Pretrained) => "pretrained embedder",
        _ if model.cut() > Cut::Inputs => "fresh embedder, which stays random",
        _ => "fresh embedder",
    };
    let trunk = match plan.init {
        Origin::Pretrained => "pretrained trunk",
        Origin::Fresh => "random trunk (control)",
    };
    say("model", format!("{embedder}, {trunk}, fresh head; {}", model.report()));
    let (all, freeze) = (count(n.trained + n.frozen), &plan.freeze);
    let at_first = if plan.phases.is_empty() { "" } else { " at first" };
    say("trains", format!("{} of {all} parameters{at_first} (frozen: {freeze})", count(n.trained)));
}

/// What trains when, and at which rates.
fn say_phases(options: &FitOptions) {
    let rates = |lr: Option<f64>, pretrained: Option<f64>| {
        format!(
            "{:e} for what is fresh, {:e} for what is pretrained",
            lr.unwrap_or(options.lr),
            pretrained.unwrap_or(options.pretrained_lr)
        )
    };
    if options.phases.is_empty() {
        say("rates", rates(None, None));
    }
    let mut from = 1;
    for phase in &options.phases {
        let epochs = match phase.epochs {
            1 => format!("epoch {from}"),
            n => format!("epochs {from} to {}", from + n - 1),
        };
        let rates = rates(phase.lr, phase.pretrained_lr);
        say("phase", format!("{epochs}: frozen: {}; {rates}", phase.freeze));
        from += phase.epochs;
    }
}

/// Every tensor that loading was about.
fn say_names(report: &LoadReport) {
    for name in &report.taken {
        match report.reshaped.iter().find(|reshaped| reshaped.name == *name) {
            Some(reshaped) => {
                say("taken", format!("{name}, from {:?} to {:?}", reshaped.from, reshaped.to));
            }
            None => say("taken", name),
        }
    }
    for name in &report.fresh {
        say("fresh", name);
    }
    for name in &report.untaken {
        say("unused", name);
    }
}

fn say_result(result: &RunResult) {
    let score = |e: &Evaluation, split: &str| say(split, figures(e, "samples"));
    if let Some(e) = &result.validation {
        score(e, "validation");
        if result.test.is_none() {
            say("", "(it chose the epoch, so it flatters; give --eval-data for a fair figure)");
        }
    }
    if let Some(e) = &result.test {
        score(e, "test");
    }
    let memory = result.cost.peak_memory_mib.map(|m| format!(", {m:.0} MiB at most"));
    let best = result.course.best_epoch;
    let kept = format!("epoch {best} of {} kept", result.course.epochs.len());
    say("cost", format!("{}; {kept}{}", seconds(result.cost.seconds), memory.unwrap_or_default()));
}

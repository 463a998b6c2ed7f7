//! `train`: from a pretrained model and labelled samples to a run folder.

use std::time::Instant;

use anyhow::Result;
use crosstune_core::{
    BadSample, Dataset, Error, Evaluation, FitOptions, Fitted, Freeze, LoadReport, MatmulPrecision,
    Modality, Model, Moments, Origin, Parts, Pretrained, Progress, RunWriter, Spec, Splits, fit,
};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::{
    ModalityArgs,
    args::{HeadArg, Init, TrainArgs},
    format::{count, line, percent, seconds, shape},
    process, progress, weights,
};

/// `result.json`: how the run came about and what it came to.
#[derive(Debug, Serialize)]
struct RunResult {
    version: &'static str,
    weights: String,
    data: String,
    init: &'static str,
    freeze: Freeze,
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
    let depth = source.family().trunk.depth();
    let options = args.fit.options(args.init, embedder, &args.freeze, depth);
    options.check()?;
    let matmul_precision = MatmulPrecision::from(args.fit.matmul_precision);
    matmul_precision.apply()?;
    args.freeze.check(depth, embedder)?;
    let data = dataset::<A>(&args)?;
    let run = RunWriter::create(&args.out, args.overwrite)?;

    say("source", format!("{}, {}", args.weights.display(), describe(&source)));
    say_data::<A::Modality>(&data);
    let (splits, skipped) = read(&mut modality, &data, args.memory.0, args.skip_bad)?;

    fit::seed(options.seed);
    let mut spec = Spec::new::<A::Modality>(&source, embedder, data.labels.clone());
    match args.head {
        HeadArg::New => spec.pool = args.pool.into(),
        HeadArg::Kept => spec = spec.with_head_of(&source),
    }
    if let Some(share) = args.dropout {
        spec.trunk = spec.trunk.with_dropout(share);
    }
    let dialect = source.source()?;
    let taken = match args.init {
        Init::Pretrained if args.head == HeadArg::Kept => Some((&dialect, Parts::BodyAndHead)),
        Init::Pretrained => Some((&dialect, Parts::Body)),
        Init::Random => None,
    };
    let model = Model::new(spec, &modality, taken, args.fit.device.0)?;
    let joint = match (args.no_match, args.init) {
        (false, Init::Pretrained) => Moments::of(&source)?,
        _ => None,
    };
    model.settle(&modality, &splits.train, joint.as_ref());
    let (trained, frozen) = args.freeze.apply(model.store(), embedder);
    say_model(&model, &args.freeze, args.init, Parameters { trained, frozen });
    if args.verbose {
        say_names(model.report());
    }
    let (fresh, pretrained) = (options.lr, options.pretrained_lr);
    say("rates", format!("{fresh:e} for what is fresh, {pretrained:e} for what is pretrained"));

    let (course, first_batch, step) = fitted(&model, &modality, &splits, &options, &run)?;
    let evaluate = |samples: &crosstune_core::Samples| {
        let score = || {
            let classes = data.labels.len();
            Evaluation::of(model.classifier(), &modality, samples, classes, options.batch_size)
        };
        (!samples.is_empty()).then(score).transpose()
    };
    let result = RunResult {
        version: env!("CARGO_PKG_VERSION"),
        weights: args.weights.display().to_string(),
        data: args.data.display().to_string(),
        init: match args.init {
            Init::Pretrained => "pretrained",
            Init::Random => "random",
        },
        freeze: args.freeze,
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
        Some(limit) => data.limit_per_class(limit, args.fit.seed),
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
    let bar = progress::training(options.steps(splits.train.len()));
    let first_batch = process::age().as_secs_f64();
    let (mut last, mut times) = (Instant::now(), vec![]);
    let course = fit::fit(model, modality, &splits.train, &splits.validation, options, &mut |p| {
        match p {
            Progress::Step { epoch, loss, accuracy, .. } => {
                times.push(last.elapsed().as_secs_f64());
                bar.set_prefix(format!("epoch {epoch}/{}", options.epochs));
                bar.set_message(format!("loss {loss:.3}  accuracy {}", percent(accuracy)));
                bar.inc(1);
            }
            Progress::Epoch(record) => {
                run.metric(record)?;
                show_epoch(&bar, record, options.epochs);
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

fn show_epoch(bar: &ProgressBar, record: &crosstune_core::EpochRecord, epochs: usize) {
    let validation = match (record.validation_loss, record.validation_accuracy) {
        (Some(loss), Some(accuracy)) => {
            format!("   validation loss {loss:.3}, accuracy {}", percent(accuracy))
        }
        _ => String::new(),
    };
    let text = format!(
        "{}/{epochs}  loss {:.3}, accuracy {}{validation}   {}",
        record.epoch,
        record.train_loss,
        percent(record.train_accuracy),
        seconds(record.seconds),
    );
    bar.suspend(|| say("epoch", text));
}

fn describe(source: &Pretrained) -> String {
    let family = source.family();
    format!("{} trained on {}: {}", family.name, family.modality, shape(&family.trunk))
}

fn say_data<M: Modality>(data: &Dataset) {
    let classes = data.labels.len();
    let splits = [(&data.validation, "validation"), (&data.test, "test")];
    let others: String = splits
        .iter()
        .filter(|(items, _)| !items.is_empty())
        .map(|(items, name)| format!(", {} for {name}", count(items.len())))
        .collect();
    let train = count(data.train.len());
    say("data", format!("{train} {} to train on{others}; {classes} classes", M::SAMPLES));
    if !data.ignored.is_empty() {
        let kinds: Vec<_> =
            data.ignored.iter().map(|(e, n)| format!("{} .{e}", count(*n))).collect();
        say("ignored", format!("files of other sorts: {}", kinds.join(", ")));
    }
}

fn say_model(model: &Model, freeze: &Freeze, init: Init, n: Parameters) {
    let embedder = match (model.spec().embedder, init) {
        (Origin::Pretrained, Init::Pretrained) => "pretrained embedder",
        _ => "fresh embedder",
    };
    let trunk = match init {
        Init::Pretrained => "pretrained trunk",
        Init::Random => "random trunk (control)",
    };
    say("model", format!("{embedder}, {trunk}, fresh head; {}", model.report()));
    let all = count(n.trained + n.frozen);
    say("trains", format!("{} of {all} parameters (frozen: {freeze})", count(n.trained)));
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
    let score = |e: &Evaluation, split: &str| {
        say(
            split,
            format!(
                "accuracy {}, macro F1 {}, loss {:.3} on {} samples",
                percent(e.accuracy),
                percent(e.macro_f1),
                e.loss,
                count(e.samples)
            ),
        );
    };
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

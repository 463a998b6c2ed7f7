//! `compare`: the gain of a transfer over its controls.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use crosstune_core::{Dataset, Error, Freeze, Layout, Modality, Pretrained, error::one_line};
use crosstune_report::{
    Arm, ArmKind, Budget, Comparison, ErrorExample, Matrix, Metric, Source, Summary, Target,
};

use super::{
    args::{CompareArgs, Control},
    figures,
    leave_out::leave_out,
    machine,
    progress::Progressing,
    trial::{self, Experiment},
};
use crate::{
    args::{ModalityArgs, refuse_existing, setting},
    output::{
        format::{count, percent},
        say,
    },
    process::signals,
    setup::{job::TransferJob, symbols::with_symbols},
};

pub(crate) fn compare<A: ModalityArgs>(args: CompareArgs<A>) -> Result<ExitCode> {
    check(&args)?;
    let mut modality: A::Modality = args.modality.args.clone().try_into()?;
    let job = TransferJob::open(&args.source, &args.transfer, &args.fit, &mut modality)?;
    let (mut data, metric) = dataset(&args, &job.source)?;
    modality.set_task(data.task)?;
    refuse_report(&args.out, args.overwrite)?;
    let left_out = match args.skip_bad {
        true => leave_out(&args, &job, &modality, &mut data)?,
        false => 0,
    };
    let mut kinds = vec![ArmKind::Transfer];
    kinds.extend(controls(&args.controls, &job.plan.freeze));
    kinds.dedup();
    let experiment =
        Experiment::new(&job, &args.fit, modality, &data, args.memory.0, args.points.get())?;
    let mut budgets = vec![];
    for size in &args.per_class {
        let epochs = size.epochs.unwrap_or(args.fit.options().epochs);
        let samples = experiment.subset(size.per_class, 0)?.train.len();
        if budgets.last().is_some_and(|last: &Budget| last.size >= samples) {
            let problem = format!("{samples} samples are no more than the size before has");
            return Err(setting("--per-class", problem));
        }
        budgets.push(Budget { size: samples, epochs });
    }
    prepare(&args.out)?;
    let progress = Progressing::claim(&args, &job.source)?;
    let watch = signals::Watch::begin();
    let measured = measured(&args, &experiment, &kinds, &budgets, &metric, &progress);
    drop(watch);
    let (arms, error_examples) = match measured {
        Ok(measured) => measured,
        Err(e) => return unfinished(e, progress),
    };

    let family = job.source.config();
    let comparison = Comparison {
        source: Source {
            name: name(&args.source.weights),
            modality: family.modality.clone(),
            family: family.name.clone(),
        },
        target: Target {
            name: name(&args.samples.data),
            modality: A::Modality::NAME.into(),
            samples: A::Modality::SAMPLES.into(),
        },
        metric,
        labels: data.labels.clone(),
        test_samples: data.test.len(),
        left_out,
        recipe: args.transfer.recipe.name().into(),
        freeze: job.plan.freeze.to_string(),
        budgets,
        threshold: args.threshold,
        version: env!("CARGO_PKG_VERSION").into(),
        made: machine::today(),
        machine: machine::describe(&args.fit)?,
        arms,
        error_examples,
    };
    let matrix = Matrix::new(vec![comparison])?;
    for comparison in matrix.comparisons() {
        say_summary(&Summary::of(comparison), &comparison.metric);
    }
    match save(&matrix, &args.out, args.overwrite) {
        Ok(page) => say("saved", page.display()),
        Err(e) => {
            progress.leave();
            return Err(e);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Ends a comparison before its time: what is done stays.
fn unfinished(error: anyhow::Error, progress: Progressing) -> Result<ExitCode> {
    if progress.leave_if_worth_it() {
        say("stopped", "what is done is kept; go on with the same command");
    }
    match (error.downcast_ref(), signals::asked()) {
        (Some(Error::Interrupted { .. }), Some(signal)) => Ok(ExitCode::from(128 + signal as u8)),
        _ => Err(error),
    }
}

/// The trials and runs of all arms, and the errors to show.
fn measured<A: ModalityArgs>(
    args: &CompareArgs<A>,
    experiment: &Experiment<'_, A::Modality>,
    kinds: &[ArmKind],
    budgets: &[Budget],
    metric: &Metric,
    progress: &Progressing,
) -> Result<(Vec<Arm>, Vec<ErrorExample>)> {
    let mut arms: Vec<Arm> =
        kinds.iter().map(|&kind| Arm { kind, trials: vec![], runs: vec![] }).collect();
    let mut error_examples = vec![];
    for (number, (size, budget)) in args.per_class.iter().zip(budgets).enumerate() {
        let &Budget { size: samples, epochs } = budget;
        let subset = experiment.subset(size.per_class, 0)?;
        say("size", format!("{} {}, {epochs} epochs", count(samples), A::Modality::SAMPLES));

        let held = experiment.held_out(subset, args.held_out)?;
        for arm in &mut arms {
            let rates = &args.rates;
            let trials = experiment.trials(arm.kind, &held, samples, rates, epochs, progress)?;
            let tried: Vec<_> =
                trials.iter().map(|t| format!("{:e}: {}", t.lr, percent(t.held_out))).collect();
            say("rates", format!("{}: held-out {} {}", arm.kind, metric.name, tried.join(", ")));
            arm.trials.extend(trials);
        }
        for seed in 0..args.seeds {
            let drawn = experiment.drawn(size.per_class, seed)?;
            for arm in &mut arms {
                let best =
                    trial::best(&arm.trials, samples, metric).context("no rate was tried")?;
                let last = number + 1 == args.per_class.len() && seed == 0;
                let shown = if last && arm.kind == ArmKind::Transfer { args.errors } else { 0 };
                let budget = (seed, epochs);
                let (run, wrong) =
                    experiment.run(arm.kind, &drawn, best, budget, shown, progress)?;
                let value = percent(run.value);
                say("run", format!("{}, seed {seed}: {} {value}", arm.kind, metric.name));
                arm.runs.push(run);
                error_examples.extend(wrong.into_iter().map(|e: ErrorExample| {
                    let place = below(&args.samples.data, &e.place).into();
                    ErrorExample { place, ..e }
                }));
            }
        }
    }

    Ok((arms, error_examples))
}

/// The answer, printed last.
fn say_summary(summary: &Summary, metric: &Metric) {
    for at in &summary.sizes {
        for against in &at.against {
            let (Some(by), Some(verdict)) = (&against.difference, against.verdict) else {
                continue;
            };
            let interval = by.interval.map_or("no interval".into(), |i| {
                format!("{:+.1} to {:+.1}", 100. * i.low, 100. * i.high)
            });
            let text = format!(
                "{} samples, transfer less {}: {:+.1} points{} ({interval}): {verdict}",
                count(at.size),
                against.control,
                100. * by.mean,
                if metric.of_samples { String::new() } else { format!(" of {}", metric.name) },
            );
            say("result", text);
        }
    }
}

/// The controls that were asked for, or else all that differ from each other.
fn controls(asked: &[Control], freeze: &Freeze) -> Vec<ArmKind> {
    let usual = match *freeze == Freeze::nothing() {
        // With nothing frozen, random-frozen is the same as scratch.
        true => &[Control::Scratch][..],
        false => &[Control::Scratch, Control::RandomFrozen],
    };
    let chosen = if asked.is_empty() { usual } else { asked };
    chosen.iter().map(|&control| control.into()).collect()
}

/// Checks the options that are numbers.
fn check<A: ModalityArgs>(args: &CompareArgs<A>) -> Result<()> {
    let wrong = |option, value: f64, problem| Err(setting(option, format!("{value}: {problem}")));
    if !(args.held_out > 0. && args.held_out < 1.) {
        return wrong("--held-out", args.held_out, "must be above 0 and below 1");
    }
    if let Some(&rate) = args.rates.iter().find(|&&rate| !(rate > 0. && rate.is_finite())) {
        return wrong("--rates", rate, "must be above 0 and finite");
    }
    match args.threshold {
        Some(t) if !(0. ..=1.).contains(&t) => {
            wrong("--threshold", t, "must be at least 0 and at most 1")
        }
        _ => Ok(()),
    }
}

/// Refuses to replace a report unasked, before any sample is read.
fn refuse_report(folder: &Path, overwrite: bool) -> Result<()> {
    let names = crosstune_report::NAMES;
    names.into_iter().try_for_each(|name| refuse_existing("--out", &folder.join(name), overwrite))
}

/// Makes the folder of the report before any training.
fn prepare(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).map_err(Error::io(folder, "create"))?;
    // That it is there does not say that it takes a file.
    tempfile::tempfile_in(folder).map(drop).map_err(|e| Error::io(folder, "write to")(e).into())
}

/// Writes the report, and returns its page. If it cannot be written there, it is kept elsewhere: it
/// has cost many trainings.
fn save(matrix: &Matrix, folder: &Path, overwrite: bool) -> Result<PathBuf> {
    let mut names = crosstune_report::NAMES.iter();
    let problem = match names.find(|name| !overwrite && folder.join(name).exists()) {
        Some(name) => format!("{name} appeared meanwhile, and is left as it is"),
        None => match crosstune_report::write(matrix, folder) {
            Ok(files) => return Ok(files.html),
            Err(e) => format!("cannot be written ({})", one_line(&e)),
        },
    };
    let elsewhere = tempfile::Builder::new().prefix("crosstune-report-").tempdir()?;
    crosstune_report::write(matrix, elsewhere.path())?;
    let (path, kept) = (folder.to_path_buf(), elsewhere.keep());
    Err(Error::Kept { path, problem, kept }.into())
}

fn dataset<A: ModalityArgs>(
    args: &CompareArgs<A>,
    source: &Pretrained,
) -> Result<(Dataset, Metric)> {
    let layout = Layout { skip_bad: args.skip_bad, ..args.layout.layout::<A::Modality>()? };
    let data = args.samples.open(&with_symbols(layout, args.transfer.head, source)?)?;
    let Some(metric) = figures::metric(data.task) else {
        let problem = "compare takes single-label data, transcribe and tag alone";
        return Err(setting("--task", problem));
    };
    if data.test.is_empty() {
        let problem = "no test split to compare on; give --eval-data".into();
        return Err(Error::Path { path: args.samples.data.clone(), problem }.into());
    }
    Ok((data, metric))
}

/// A location in a data set, relative to its folder: a report may go to people who have it
/// elsewhere.
fn below<'p>(data: &Path, place: &'p str) -> &'p str {
    let folder = if data.is_dir() { data } else { data.parent().unwrap_or(data) };
    let below = Path::new(place).strip_prefix(folder).ok();
    below.and_then(Path::to_str).unwrap_or(place)
}

/// The name of a file, without extension, or of a folder.
fn name(path: &Path) -> String {
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    name.unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_from_the_data_set() {
        let folder = std::env::temp_dir();
        let file = folder.join("a").join("b.wav").display().to_string();
        assert_eq!(below(&folder, &file), format!("a{}b.wav", std::path::MAIN_SEPARATOR));
        assert_eq!(
            below(&folder.join("t.tsv"), &folder.join("t.tsv").display().to_string()),
            "t.tsv"
        );
        assert_eq!(below(Path::new("elsewhere"), &file), file);
    }

    #[test]
    fn controls_that_differ_are_measured() {
        use ArmKind::{RandomFrozen, Scratch, Shuffled};
        assert_eq!(controls(&[], &Freeze::nothing()), [Scratch]);
        assert_eq!(controls(&[], &"trunk".parse().unwrap()), [Scratch, RandomFrozen]);
        let asked = [Control::RandomFrozen, Control::Shuffled];
        assert_eq!(controls(&asked, &Freeze::nothing()), [RandomFrozen, Shuffled]);
    }
}

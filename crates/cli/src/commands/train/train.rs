//! `train`: from a pretrained model and labelled samples to a run folder.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use crosstune_core::loader::{Beforehand, refuse_bad};
use crosstune_core::{
    CacheBudget, Dataset, Error, FitOptions, Input, Layout, Modality, Model, Order, Pretrained,
    RunWriter, Samples, Splits,
    data::ClassLimit,
    evaluate, find_lr,
    predict::too_short,
    run::{Unfinished, unfinished},
};
use serde_json::json;

use super::{
    args::TrainArgs,
    calibrate::{or_later, say_calibration, validated},
    fitted::{Fitted, fitted},
    log::{
        describe, say_aligned, say_beside, say_data, say_model, say_names, say_phases,
        say_precision, say_result, say_rounded, say_start,
    },
    lr_plot, plan,
    result::{Cost, Counts, Parameters, RunResult},
    resume::{Begun, command_line},
};
use crate::{
    args::{HeadArg, LAYOUT, ModalityArgs, refuse_existing, setting},
    output::{event, format, progress, save, say, say_skipped, skipped, tell},
    process::{self, signals},
    setup::{
        coverage::{When, coverage, say_coverage},
        job::{Built, TransferJob},
        symbols::with_symbols,
        together::{Together, together},
    },
};

/// Trains, alone or as one of several processes.
pub(crate) fn train<A: ModalityArgs>(args: TrainArgs<A>) -> Result<ExitCode> {
    process::age(); // If the system does not tell the start, the count begins here.
    let together = together(args.fit.device()?, args.plan.is_some() || args.find_lr.is_some())?;
    let mut claimed = None;
    let done = trained(args, &together, &mut claimed);
    if let Err(e) = &done {
        together.fail(e);
        // Whatever it was, what can be gone on with is there.
        if let Some(out) = claimed
            && let Ok(Unfinished::Training(_)) = unfinished::<Begun>(&out)
        {
            tell_stopped::<A::Modality>(&out);
        }
    }
    done
}

/// Trains; the folder that it has claimed is `claimed` from then on.
fn trained<A: ModalityArgs>(
    args: TrainArgs<A>,
    together: &Together,
    claimed: &mut Option<PathBuf>,
) -> Result<ExitCode> {
    if let Some(threads) = args.threads {
        tch::set_num_threads(threads);
    }
    if !(0.0..1.0).contains(&args.validation) {
        let problem = format!("{}: must be at least 0 and below 1", args.validation);
        return Err(setting("--validation", problem));
    }
    for (option, file) in [("--plan", &args.plan), ("--find-lr", &args.find_lr)] {
        if let Some(file) = file {
            refuse_existing(option, file, args.overwrite)?;
        }
    }
    let mut modality: A::Modality = args.modality.args.clone().try_into()?;
    let job = TransferJob::open(&args.source, &args.transfer, &args.fit, &mut modality)?;
    let mut options = job.plan.apply(args.fit.options());
    options.processes = together.processes();
    options.check()?;
    let task = args.layout.task().unwrap_or_default();
    options.check_for(task)?;
    args.transfer.pool(task)?;
    let methods = args.calibrate.methods(task)?;
    if job.plan.align && task.is_sequence() {
        let problem = format!("it aligns classes, which {task} does not have; take another recipe");
        return Err(setting("--recipe orca", problem));
    }
    modality.set_task(task)?;
    let beforehand = args.reading.beforehand(task, options.order == Order::ByLength)?;
    let classes = match args.transfer.head {
        HeadArg::Pretrained => job.source.class_names(),
        HeadArg::Fresh => None,
    };
    let data = dataset::<A>(&args, &job.source, classes)?;
    // A dry run or a range test creates no folder.
    let out = args.out.as_ref().filter(|_| args.plan.is_none() && args.find_lr.is_none());
    let goes_on = args.resume.is_some() || together.is_restarted();
    args.watch.refuse(args.overwrite || goes_on)?;
    let run = out.filter(|_| together.writes()).map(|out| match goes_on {
        true => RunWriter::resume(out, args.overwrite),
        false => RunWriter::create(out, args.overwrite),
    });
    let run = run.transpose()?;
    *claimed = out.filter(|_| run.is_some()).cloned();
    if let (Some(run), None) = (&run, &args.resume) {
        run.note(&Begun::now::<A::Modality>()?)?;
    }
    let folder = run.as_ref().map_or_else(std::env::temp_dir, |run| run.folder().to_path_buf());
    let memory = args.memory.0 / together.on_this_machine();
    options.cache_budget = (!args.no_feature_cache).then_some(CacheBudget { memory, folder });

    say("source", format!("{}, {}", args.source.weights.display(), describe(&job.source)));
    say("device", format::device(args.fit.device()?));
    say_data::<A::Modality>(&data);
    let (mut splits, mut skipped) = read(&mut modality, &data, beforehand, memory, args.skip_bad)?;
    // Several processes must leave out the same.
    if args.skip_bad && options.processes == 1 {
        splits.skip_lost();
    }
    let inputs: Vec<&Input> = data.items().map(|(_, item)| &item.input).collect();
    let coverage = coverage(&modality, beforehand.choose(inputs.into_iter()));
    if let Some(coverage) = &coverage {
        say_coverage(&modality, coverage, When::Training);
    }
    let (plan, device) = (&job.plan, together.device());
    let built = job.model(plan, &modality, &data, &splits, options.seed, device)?;
    let Built { model, trained, frozen, aligned } = built;
    say_model(&model, plan, job.is_fresh(plan), Parameters { trained, frozen });
    say_beside(model.report());
    if let Some(aligned) = &aligned {
        say_aligned(aligned);
    }
    if args.verbose {
        say_names(model.report());
    }
    say_precision(&model);
    say_phases(&options);
    skipped.extend(leave_out_short(&model, &modality, &mut splits.train, &options, args.skip_bad)?);
    let recipe = args.transfer.recipe;
    if let Some(path) = &args.require_plan {
        plan::TrainPlan::new(&model, recipe.name(), &options, args.fit.deterministic)?
            .require(path)?;
    }
    if let Some(path) = &args.plan {
        let planned =
            plan::TrainPlan::new(&model, recipe.name(), &options, args.fit.deterministic)?;
        let planned = planned.with_estimate(&model, &modality, &splits, &options)?;
        planned.write(path, args.overwrite)?;
        say("planned", path.display());
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(path) = &args.find_lr {
        let curve = find_lr(&model, &modality, &splits.train, &options, 1e-6, 1., 100)?;
        save(path, lr_plot::plot(&curve), args.overwrite)?;
        let rate = |rate: Option<f64>| rate.map_or("none".into(), |rate| format!("{rate:.1e}"));
        let (steepest, cautious) = (rate(curve.steepest), rate(curve.tenth_of_least));
        say(
            "rate",
            format!("the loss falls fastest at {steepest}; a cautious choice is {cautious}"),
        );
        say("plotted", path.display());
        return Ok(ExitCode::SUCCESS);
    }
    let mut run = match run {
        None if together.writes() => {
            return Err(setting("--out", "name the run folder to create"));
        }
        run => run,
    };
    run.as_ref().map_or(Ok(()), |run| run.reserve(&model))?;
    say_start::<A>(&args, &splits, &options, Parameters { trained, frozen });
    let mut board = args.board(&splits, &options, goes_on, together.writes())?;

    let every = args.checkpoint.checkpoint_every;
    let fitted = fitted(&model, &modality, &splits, &options, every, run.as_mut(), board.as_mut());
    let Fitted { history, first_batch, step } = match fitted {
        Ok(fitted) => fitted,
        Err(e) => {
            if let Some(board) = &mut board {
                board.stop();
            }
            return stopped::<A::Modality>(e, run, &args.out.unwrap_or_default());
        }
    };
    // A sample may have vanished meanwhile. What was trained is saved all the same.
    let mut failed = None;
    let (size, processes) = (options.batch_size, options.processes);
    let validation = validated(&model, &modality, &splits.validation, size, methods);
    let (calibration, validation) = or_later(validation, processes, &mut failed)?;
    let model = model.with_calibration(calibration);
    let test = || evaluate(&model, &modality, &splits.test, size);
    let test = (!splits.test.is_empty()).then(test).transpose();
    let test = or_later(test, processes, &mut failed)?;
    together.leave()?;
    if let Some(board) = &mut board {
        let shown = match splits.validation.is_empty() {
            true => (&data.test[..], &splits.test),
            false => (&data.validation[..], &splits.validation),
        };
        board.finish(&model, &modality, test.as_ref(), shown);
    }
    let Some(mut run) = run else { return Ok(ExitCode::SUCCESS) };
    let lost = splits.lost();
    say_skipped(&lost, A::Modality::SAMPLES);
    skipped.extend(lost);
    let result = RunResult {
        version: env!("CARGO_PKG_VERSION"),
        weights: args.source.weights.display().to_string(),
        data: args.samples.data.display().to_string(),
        recipe,
        init: plan.init,
        freeze: plan.freeze.clone(),
        batch_norm: args.transfer.batch_norm.into(),
        aligned,
        matmul_precision: args.fit.matmul_precision.into(),
        deterministic: args.fit.deterministic,
        samples: Counts {
            train: splits.train.len(),
            validation: splits.validation.len(),
            test: splits.test.len(),
            skipped,
            ignored: data.ignored.clone(),
            coverage,
            notes: data.notes.clone(),
        },
        parameters: Parameters { trained, frozen },
        loaded: model.report().clone(),
        validation,
        test,
        cost: Cost {
            seconds_to_first_batch: first_batch,
            seconds_per_step: step,
            seconds: process::age().as_secs_f64(),
            peak_memory_mib: process::peak_memory_mib(),
            threads: tch::get_num_threads(),
        },
        options,
        history,
    };
    run.json(LAYOUT, &args.layout)?;
    say_result(&result);
    let config = model.spec().task_config();
    say_calibration(config, methods.0, result.validation.as_ref(), result.test.as_ref());
    let source = job.source.source().ok();
    match &source {
        Some(source) => say_rounded(run.finish_from(source, &model, &modality, &result)?),
        None => run.finish(&model, &modality, &result)?,
    }
    let out = args.out.unwrap_or_default();
    tell("saved", out.display(), &json!({ "run": out.display().to_string() }));
    event("end", &json!({ "status": "finished", "seconds": process::age().as_secs_f64() }));
    match failed {
        Some(e) => Err(e.into()),
        None => Ok(ExitCode::SUCCESS),
    }
}

/// Ends a training before its time: what can be gone on with is left.
fn stopped<M: Modality>(error: Error, run: Option<RunWriter>, out: &Path) -> Result<ExitCode> {
    let code = |signal: i32| ExitCode::from(128 + signal as u8);
    match (&error, signals::asked(), run) {
        // Of several processes, the first says so.
        (Error::Interrupted { .. }, signal, None) => Ok(code(signal.unwrap_or_default())),
        (Error::Interrupted { .. }, Some(signal), Some(run)) => {
            run.leave();
            tell_stopped::<M>(out);
            Ok(code(signal))
        }
        // With the same weights it would come to the same again.
        (
            Error::Diverged { .. } | Error::DivergedWeights { .. } | Error::NoAnswer { .. },
            _,
            Some(run),
        ) => {
            run.discard();
            Err(error.into())
        }
        _ => Err(error.into()),
    }
}

fn tell_stopped<M: Modality>(out: &Path) {
    let resume = command_line::<M>(out);
    tell("stopped", format!("go on with: {resume}"), &json!({ "resume": resume }));
    event("end", &json!({ "status": "stopped", "seconds": process::age().as_secs_f64() }));
}

/// The data set, its labels in the order of a pretrained head's `classes`.
fn dataset<A: ModalityArgs>(
    args: &TrainArgs<A>,
    source: &Pretrained,
    classes: Option<&[String]>,
) -> Result<Dataset> {
    if args.limit_per_class == Some(0) {
        return Err(setting("--limit-per-class", "0: must be at least 1"));
    }
    let limit_per_class =
        args.limit_per_class.map(|samples| ClassLimit { samples, seed: args.fit.seed });
    let skip_bad = args.skip_bad;
    let layout = Layout { limit_per_class, skip_bad, ..args.layout.layout::<A::Modality>()? };
    let mut data = args.samples.open(&with_symbols(layout, args.transfer.head, source)?)?;
    if let Some(classes) = classes {
        data.order_labels(classes);
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
    beforehand: Beforehand,
    memory: usize,
    skip_bad: bool,
) -> Result<(Splits, Vec<String>)> {
    let splits = [&data.train, &data.validation, &data.test];
    let all = splits.iter().map(|items| beforehand.choose(items.iter()).count()).sum();
    let bar = progress::reading(all, M::SAMPLES);
    let read = Splits::read_some(modality, data, beforehand, memory, || bar.inc(1));
    bar.finish_and_clear();
    let (splits, bad) = read?;
    let bad = refuse_bad(bad, skip_bad, !splits.train.is_empty())?;
    let skipped = skipped(&data.bad, &bad);
    say_skipped(&skipped, M::SAMPLES);
    Ok((splits, skipped))
}

/// Leaves out the training samples that are too short for their texts, and tells of them.
fn leave_out_short<M: Modality>(
    model: &Model,
    modality: &M,
    train: &mut Samples,
    options: &FitOptions,
    skip_bad: bool,
) -> Result<Vec<String>> {
    let short = too_short(model, modality, train, options.batch_size, options.seed)?;
    let bad = short.iter().map(|one| one.bad(train)).collect();
    let skipped = skipped(&[], &refuse_bad(bad, skip_bad, short.len() < train.len())?);
    say_skipped(&skipped, M::SAMPLES);
    train.leave_out(&short.iter().map(|one| one.at).collect::<Vec<_>>());
    Ok(skipped)
}

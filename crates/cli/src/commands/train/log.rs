//! What a training prints on the way.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crosstune_core::{
    CutPoint, Dataset, EpochRecord, FitOptions, Item, LoadReport, Metrics, Modality, Model,
    Precision, Pretrained, Progress, RecipePlan, Splits, Target, Task, WeightInit,
    task::TaskConfig, transfer::AlignReport,
};
use indicatif::ProgressBar;
use serde_json::json;
use tch::{Kind, Tensor};

use super::args::TrainArgs;
use super::result::{Parameters, RunResult};
use crate::args::ModalityArgs;
use crate::output::{
    event, for_machines,
    format::{count, files, percent, score, seconds, shape},
    metrics::{figures, primary, summary},
    note, say, tell,
};

/// How many names a line lists of what is beside a model's weights; `inspect` lists all.
const BESIDE: usize = 8;

pub(super) fn show_epoch(
    bar: &ProgressBar,
    record: &EpochRecord,
    epochs: usize,
    config: TaskConfig<'_>,
) {
    let validation = match (record.validation_loss, record.validation_score) {
        (Some(loss), Some(merit)) => {
            format!(
                "   validation loss {}, {} {}",
                score(loss),
                config.primary_metric(),
                primary(config.task, merit)
            )
        }
        _ => String::new(),
    };
    let right = if config.task == Task::Tagging { "words right" } else { "accuracy" };
    let accuracy = record.train_accuracy.map(|accuracy| format!(", {right} {}", percent(accuracy)));
    let text = format!(
        "{}/{epochs}  loss {}{}{validation}   {}",
        record.epoch,
        score(record.train_loss),
        accuracy.unwrap_or_default(),
        seconds(record.seconds),
    );
    let mut fields = json!(record);
    fields["epochs"] = epochs.into();
    bar.suspend(|| tell("epoch", text, &fields));
}

/// What is about to be trained on what, and how, for machines: people have read it line by line.
pub(super) fn say_start<A: ModalityArgs>(
    args: &TrainArgs<A>,
    splits: &Splits,
    options: &FitOptions,
    parameters: Parameters,
) {
    let samples = json!({
        "train": splits.train.len(),
        "validation": splits.validation.len(),
        "test": splits.test.len(),
    });
    let fields = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "modality": A::Modality::NAME,
        "weights": args.source.weights.display().to_string(),
        "data": args.samples.data.display().to_string(),
        "recipe": args.transfer.recipe,
        "samples": samples,
        "parameters": parameters,
        "options": options,
    });
    event("start", &fields);
}

/// Steps, for machines: one a second, and the last of each epoch.
#[derive(Debug, Default)]
pub(super) struct StepLog {
    last: Option<Instant>,
}

impl StepLog {
    /// Tells of a step, if it is time to.
    pub(super) fn step(&mut self, progress: &Progress<'_>) {
        let Progress::Step { epoch, step, steps, loss, accuracy, batch_loss, update } = progress
        else {
            return;
        };
        let is_due = self.last.is_none_or(|last| last.elapsed() > Duration::from_secs(1));
        if !for_machines() || !(is_due || step == steps) {
            return;
        }
        self.last = Some(Instant::now());
        let mut fields = json!({
            "epoch": epoch,
            "step": step,
            "steps": steps,
            "loss": loss,
            "accuracy": accuracy,
            "batch_loss": batch_loss,
        });
        if let Some(update) = update {
            let rates: BTreeMap<_, _> = update.rates.iter().cloned().collect();
            fields["gradient_norm"] = update.gradient_norm.into();
            fields["learning_rates"] = json!(rates);
        }
        event("step", &fields);
    }
}

/// Where a training goes on.
pub(super) fn say_resumed(epochs: usize, batches: usize) {
    let of = |n: usize, one: &str| format!("{} {one}{}", count(n), if n == 1 { "" } else { "s" });
    let text = match batches {
        0 => format!("after {}", of(epochs, "epoch")),
        _ => format!("after {} and {} of the next", of(epochs, "epoch"), of(batches, "step")),
    };
    tell("resumed", text, &json!({ "epochs": epochs, "steps": batches }));
}

pub(super) fn describe(source: &Pretrained) -> String {
    let family = source.config();
    let trunk = shape(&family.trunk);
    match source.has_weights() {
        true => format!("{} trained on {}: {trunk}", family.name, family.modality),
        false => format!("an architecture without weights: {trunk}"),
    }
}

pub(super) fn say_data<M: Modality>(data: &Dataset) {
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
        (Task::Transcription, symbols) => texts(data, symbols.len()),
        (Task::Tagging, labels) => format!("a label for every word, of {}", labels.len()),
    };
    say("data", format!("{train} {} to train on{others}; {asked}", M::SAMPLES));
    if !data.ignored.is_empty() {
        let kinds: Vec<_> = data.ignored.iter().map(|(ending, n)| files(ending, *n)).collect();
        say("ignored", format!("files of other types: {}", kinds.join(", ")));
    }
    data.notes.iter().for_each(|note| say("note", note));
}

/// What the texts are of which a model learns to write the like.
fn texts(data: &Dataset, symbols: usize) -> String {
    let text = |item: &Item| match &item.target {
        Target::Text { text, symbols } => Some((symbols.len(), text.split_whitespace().count())),
        _ => None,
    };
    let mut lengths: Vec<_> = data.train.iter().filter_map(text).collect();
    lengths.sort_unstable();
    let words = count(lengths.iter().map(|(_, words)| words).sum());
    match lengths.get(lengths.len() / 2) {
        Some((usual, _)) => {
            format!(
                "texts of {symbols} symbols: {words} words, the median text {usual} symbols long"
            )
        }
        None => format!("texts of {symbols} symbols"),
    }
}

pub(super) fn say_model(model: &Model, plan: &RecipePlan, is_fresh: bool, n: Parameters) {
    let embedder = match is_fresh {
        false => "pretrained embedder",
        true if model.cut_point() > CutPoint::Inputs => "new embedder (frozen, so it stays random)",
        true => "new embedder",
    };
    let trunk = match plan.init {
        WeightInit::Pretrained => "pretrained trunk",
        WeightInit::Random => "random trunk (control)",
        WeightInit::Shuffled => "shuffled trunk (control)",
    };
    let report = model.report();
    let variables = model.store().variables();
    let head: Vec<_> = variables.keys().filter(|name| name.starts_with("head.")).collect();
    let head = match head.iter().filter(|name| report.is_fresh(name)).count() {
        0 => "pretrained head",
        new if new < head.len() => "pretrained head with a new last layer",
        _ => "new head",
    };
    say("model", format!("{embedder}, {trunk}, {head}; {report}"));
    let (all, freeze) = (count(n.trained + n.frozen), &plan.freeze);
    let at_first = if plan.phases.is_empty() { "" } else { " at first" };
    say("trains", format!("{} of {all} parameters{at_first} (frozen: {freeze})", count(n.trained)));
}

/// The precision, if it is not f32, and what is kept in it.
pub(super) fn say_precision(model: &Model) {
    let precision = model.precision();
    if precision == Precision::F32 {
        return;
    }
    let variables = model.store().variables();
    let is_half = |t: &&Tensor| t.kind() == Kind::BFloat16;
    let kept: usize = variables.values().filter(is_half).map(Tensor::numel).sum();
    let kept = match kept {
        0 => String::new(),
        kept => format!(", and {} frozen parameters kept in it", count(kept)),
    };
    say("precision", format!("autocast to {precision}{kept}"));
}

/// Tensors that were not saved as their source has them.
pub(super) fn say_rounded(changed: usize) {
    if changed > 0 {
        note(&format!(
            "warning: the weights changed on disk during the training; {changed} frozen tensors were \
             saved as they were kept, in bf16"
        ));
    }
}

pub(super) fn say_aligned(report: &AlignReport) {
    let AlignReport { before, after, seconds: time, .. } = report;
    let time = seconds(*time);
    say("aligned", format!("distance to the source {before:.3} before, {after:.3} after   {time}"));
}

/// The phases, with what is frozen and the learning rates.
pub(super) fn say_phases(options: &FitOptions) {
    let rates = |lr: Option<f64>, pretrained: Option<f64>| {
        format!(
            "learning rates {:e} (new), {:e} (pretrained)",
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

/// What the checkpoint holds beside the tensors that were loaded: other tensors by module, and what
/// is none of the model's.
pub(super) fn say_beside(report: &LoadReport) {
    let mut modules = BTreeMap::<&str, usize>::new();
    for name in &report.unused {
        *modules.entry(name.rsplit_once('.').map_or(name, |(module, _)| module)).or_default() += 1;
    }
    let unused = modules.iter().map(|(module, n)| format!("{module} ({})", count(*n)));
    let skipped = report.skipped.iter().map(|(name, what)| format!("{name} ({what})"));
    for (name, found) in [("unused", unused.collect::<Vec<_>>()), ("skipped", skipped.collect())] {
        let more = match found.len().saturating_sub(BESIDE) {
            0 => String::new(),
            n => format!(", … and {} more", count(n)),
        };
        if !found.is_empty() {
            say(name, format!("{}{more}", found[..found.len().min(BESIDE)].join(", ")));
        }
    }
}

/// The names of all tensors that were loaded, newly initialised or not used.
pub(super) fn say_names(report: &LoadReport) {
    for name in &report.loaded {
        match report.reshaped.iter().find(|reshaped| reshaped.name == *name) {
            Some(reshaped) => {
                say(
                    "loaded",
                    format!("{name}, resized from {:?} to {:?}", reshaped.from, reshaped.to),
                );
            }
            None => say("loaded", name),
        }
    }
    for name in &report.fresh {
        say("new", name);
    }
    for name in &report.unused {
        say("unused", name);
    }
}

pub(super) fn say_result(result: &RunResult) {
    let say_metrics = |e: &Metrics, split: &str| {
        let mut fields = json!(figures(e));
        fields["split"] = split.into();
        fields["samples"] = e.samples().into();
        match for_machines() {
            true => event("result", &fields),
            false => say(split, summary(e, "samples")),
        }
    };
    if let Some(e) = &result.validation {
        say_metrics(e, "validation");
        if result.test.is_none() {
            say("", "(it chose the epoch, so it flatters; give --eval-data for a fair figure)");
        }
    }
    if let Some(e) = &result.test {
        say_metrics(e, "test");
    }
    let memory = result.cost.peak_memory_mib.map(|m| format!(", peak memory {m:.0} MiB"));
    let best = result.history.best_epoch;
    let best = format!("best epoch {best} of {}", result.history.epochs.len());
    match result.history.skipped_steps {
        0 => {}
        1 => say("skipped", "1 step, whose gradients overflowed in f16"),
        steps => {
            say("skipped", format!("{} steps, whose gradients overflowed in f16", count(steps)))
        }
    }
    let text = format!("{}; {best}{}", seconds(result.cost.seconds), memory.unwrap_or_default());
    let mut fields = json!(result.cost);
    fields["best_epoch"] = result.history.best_epoch.into();
    fields["epochs"] = result.history.epochs.len().into();
    tell("cost", text, &fields);
}

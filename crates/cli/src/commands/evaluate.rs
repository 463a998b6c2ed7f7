//! `evaluate`: a tuned model on labelled samples.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use crosstune_core::loader::refuse_bad;
use crosstune_core::{
    Dataset, Layout, MemoryBudget, Modality, ReadMode, Samples, Task,
    data::{self, Gathered},
    predict::{evaluate_with, scored},
};

use crate::{
    args::{
        CertaintyArgs, ComputeArgs, DecodeArgs, LayoutArgs, SourceArgs, refuse_existing, setting,
    },
    output::{metrics, print, print_json, progress, reliability, save, say, say_skipped, skipped},
    setup::{
        coverage::{When, coverage, say_coverage},
        open::open,
    },
};

#[derive(Debug, Args)]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Labelled samples, in any layout that train takes; the test split, if there is one
    pub(crate) data: PathBuf,
    /// Leave out samples that cannot be read, and name them
    #[arg(long)]
    pub(crate) skip_bad: bool,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    #[command(flatten)]
    pub(crate) certainty: CertaintyArgs,
    /// Draw how often the model is right by how sure it is: a reliability diagram, as SVG
    #[arg(long, value_name = "FILE", help_heading = "Calibration")]
    pub(crate) reliability: Option<PathBuf>,
    /// Replace the file of --reliability
    #[arg(long, requires = "reliability", help_heading = "Calibration")]
    pub(crate) overwrite: bool,
    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
    /// Print the result as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) layout: LayoutArgs,
}

pub(crate) fn evaluate<M: Modality>(args: &EvaluateArgs) -> Result<()> {
    args.layout.refuse_symbols()?;
    if let Some(file) = &args.reliability {
        refuse_existing("--reliability", file, args.overwrite)?;
    }
    let layout = args.layout.clone().or_of(&args.source.path)?;
    let asked = args.layout.task();
    let mut layout = Layout { skip_bad: args.skip_bad, ..layout.layout::<M>()? };
    let labels = |task, _| {
        let labels = Dataset::open(&args.data, &Layout { task, ..layout.clone() })?.labels;
        say(
            "labels",
            format!(
                "not published; those of the data, in this order: {}",
                labels[..labels.len().min(20)].join(", ")
            ),
        );
        Ok(labels)
    };
    let (model, modality) = open::<M>(&args.source, labels, &args.compute)?;
    let (model, sets) = args.certainty.apply(model)?;
    let config = model.spec().task_config();
    let (labels, task) = (&model.spec().labels, model.spec().task);
    if let Some(asked) = asked.filter(|asked| *asked != task) {
        let problem = format!("this model was trained for {task}, not for {asked}; leave it out");
        return Err(setting("--task", problem));
    }
    if args.reliability.is_some() && !matches!(task, Task::SingleLabel | Task::MultiLabel) {
        let problem = format!("{task} has no probabilities of classes or labels; leave it out");
        return Err(setting("--reliability", problem));
    }
    let decoder = args.decode.decoder(config)?;
    layout.task = task;
    let Gathered { items, bad: unusable, notes, .. } =
        data::evaluation(&args.data, &layout, config, "DATA")?;
    notes.iter().for_each(|note| say("note", note));
    let bar = progress::reading(items.len(), M::SAMPLES);
    let (samples, bad) =
        Samples::read(&modality, &items, ReadMode::Inference, &mut MemoryBudget::default(), || {
            bar.inc(1)
        });
    bar.finish_and_clear();
    let coverage = coverage(&modality, items.iter().map(|item| &item.input));
    if let Some(coverage) = &coverage {
        say_coverage(&modality, coverage, When::Answering);
    }
    let bad = refuse_bad(bad, args.skip_bad, !samples.is_empty())?;
    let skipped = skipped(&unusable, &bad);
    let size = args.compute.batch_size.get();
    let (evaluation, covered) = match sets {
        // Sets are of classes.
        Some(sets) => {
            let scored = scored(&model, &modality, &samples, size)?;
            (scored.metrics(config)?, Some(scored.coverage(config, &sets)?))
        }
        None => (evaluate_with(&model, &modality, &samples, size, &decoder)?, None),
    };
    let calibration = evaluation.calibration();
    if let (Some(file), Some(calibration)) = (&args.reliability, calibration) {
        save(file, reliability::diagram(calibration), args.overwrite)?;
        say("drawn", file.display());
    }
    if args.json {
        let mut said = serde_json::json!({
            "labels": labels,
            "skipped": skipped,
            "coverage": coverage,
            "evaluation": evaluation,
        });
        if let Some(covered) = covered {
            said["sets"] = serde_json::json!(covered);
        }
        print_json(&said)?;
    } else {
        say_skipped(&skipped, M::SAMPLES);
        print(&metrics::table(&evaluation, labels, M::SAMPLES))?;
        if let Some(calibration) = calibration {
            print(&("\n".to_string() + &reliability::table(calibration, M::SAMPLES)))?;
        }
        if let Some(covered) = covered {
            print(&("\n".to_string() + &reliability::sets(&covered, M::SAMPLES)))?;
        }
    }
    Ok(())
}

//! `predict`: labels or values for files.

use std::{collections::HashSet, path::PathBuf, slice};

use anyhow::Result;
use clap::Args;
use crosstune_core::data::Extent;
use crosstune_core::error::printable;
use crosstune_core::predict::{Answer, Entity, answers_with, score};
use crosstune_core::{
    Error, Input, Layout, MemoryBudget, Modality, ReadMode, Samples, Spec, Task, data,
    loader::refuse_bad,
};
use serde_json::{Value, json};

use crate::{
    args::{ComputeArgs, DecodeArgs, InputArgs, LayoutArgs, SourceArgs},
    output::{
        self,
        format::{number, percent},
        print, say, say_ignored, say_skipped, skipped,
    },
    setup::{
        coverage::{When, covered, extents, say_coverage},
        open::open,
    },
};

#[derive(Debug, Args)]
pub(crate) struct PredictArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Inputs to label: files, folders of them, and tables as train takes them, with or without
    /// labels; a text without columns is labelled line by line
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Leave out inputs that cannot be read, and name them
    #[arg(long)]
    pub(crate) skip_bad: bool,
    #[command(flatten)]
    pub(crate) inputs: InputArgs,
    /// Number of classes to show, most probable first (a multi-label model shows all labels above
    /// 50 %)
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) top: usize,
    #[command(flatten)]
    pub(crate) compute: ComputeArgs,
    #[command(flatten)]
    pub(crate) decode: DecodeArgs,
    /// Print one JSON object per input
    #[arg(long)]
    pub(crate) json: bool,
}

pub(crate) fn predict<M: Modality>(args: &PredictArgs) -> Result<()> {
    for file in &args.files {
        if !file.exists() {
            let path = file.clone();
            return Err(Error::Path { path, problem: "no such file or folder".into() }.into());
        }
    }
    // As transformers calls them.
    let unnamed = |_, classes| Ok((0..classes).map(|at| format!("LABEL_{at}")).collect());
    let device = args.compute.device.0;
    let (model, modality) = open::<M>(&args.source, unnamed, device)?;
    let layout = LayoutArgs::of_inputs(&args.inputs, &args.source.path)?.layout::<M>()?;
    let layout = Layout { pairs: modality.takes_pairs(), skip_bad: args.skip_bad, ..layout };
    let (mut items, mut unusable) = (vec![], vec![]);
    for file in &args.files {
        let mut found = data::inputs(file, &layout)?;
        items.append(&mut found.items);
        unusable.append(&mut found.bad);
        found.notes.iter().for_each(|note| say("note", note));
        say_ignored(&found.ignored, M::SAMPLES);
    }
    let (samples, bad) =
        Samples::read(&modality, &items, ReadMode::Inference, &mut MemoryBudget::default(), || ());
    let bad = refuse_bad(bad, args.skip_bad, !samples.is_empty())?;
    say_skipped(&skipped(&unusable, &bad), M::SAMPLES);
    let unread: HashSet<_> = bad.iter().map(|bad| &bad.place).collect();
    items.retain(|item| !unread.contains(&item.place));
    let extents = extents(&modality, items.iter().map(|item| &item.input));
    if let Some(coverage) = covered::<M>(&extents) {
        say_coverage(&modality, &coverage, When::Answering);
    }
    let labels = &model.spec().labels;
    // transformers' pipeline gives the sigmoid of a published model's one output, a cross-encoder's
    // say; its model the number.
    let scores = model.spec().task == Task::Regression
        && labels.len() == 1
        && !Spec::is_at(&args.source.path);
    let size = args.compute.batch_size.get();
    let decoder = args.decode.decoder(model.spec().task_config())?;
    score(&model, &modality, &samples, size, |chosen, found| {
        let rows = answers_with(model.spec().task_config(), found, &decoder)?;
        for (answer, &at) in rows.iter().zip(chosen) {
            let item = &items[at];
            let texts = match &item.input {
                Input::Text(text) => slice::from_ref(text),
                Input::Pair(pair) => pair,
                Input::Words(words) => words,
                Input::File(_) | Input::Bytes { .. } => &[],
            };
            print(&if args.json {
                let text = (!texts.is_empty()).then(|| texts.join("\t"));
                let mut line = json!({"input": item.place.verbatim(), "text": text});
                let (name, mut answers) = fields(answer, labels, args.top);
                if let (Answer::Values(values), true) = (answer, scores) {
                    answers[0]["sigmoid"] = json!(sigmoid(values[0]));
                }
                line[name] = answers;
                // What a model has not taken, its answer does not depend on.
                if let Some(Extent { whole, taken, .. }) =
                    extents[at].filter(|extent| extent.taken < extent.whole)
                {
                    line["cut"] = json!({"unit": M::EXTENT, "whole": whole, "taken": taken});
                }
                output::json(&line.to_string()) + "\n"
            } else {
                // A line for each input, whatever is in it.
                let cells: Vec<_> = texts.iter().map(|text| printable(text)).collect();
                let input = match texts {
                    [] => item.place.to_string(),
                    _ => cells.join("\t"),
                };
                format!("{input}\t{}\n", text(answer, labels, args.top))
            })?;
        }
        Ok(())
    })?;
    Ok(())
}

fn sigmoid(x: f64) -> f64 {
    1. / (1. + (-x).exp())
}

/// `cat 93.1 %  dog 4.2 %`, `price 12.5`, the text; a dash where no label applies.
fn text(answer: &Answer, labels: &[String], top: usize) -> String {
    let shown = |ranked: &[(usize, f64)]| {
        let one = |(at, p): &(usize, f64)| format!("{} {}", printable(&labels[*at]), percent(*p));
        ranked.iter().map(one).collect::<Vec<_>>()
    };
    match answer {
        Answer::Classes(ranked) => shown(&ranked[..ranked.len().min(top.max(1))]),
        Answer::Labels(ranked) => match ranked.partition_point(|(_, p)| *p > 0.5) {
            0 => vec!["–".into()],
            applying => shown(&ranked[..applying]),
        },
        Answer::Values(values) => {
            let value =
                |(name, value): (&String, &f64)| format!("{} {}", printable(name), number(*value));
            labels.iter().zip(values).map(value).collect()
        }
        Answer::Transcript(heard) => vec![printable(&heard.text).into_owned()],
        Answer::Entities(found) if found.is_empty() => vec!["–".into()],
        Answer::Entities(found) => {
            let entity = |entity: &Entity| {
                let Entity { label, probability, words: [start, end], .. } = entity;
                format!("{} {start}-{end} {}", printable(label), percent(*probability))
            };
            found.iter().map(entity).collect()
        }
    }
    .join("\t")
}

/// The same for programs, with the name of its field; of labels, all.
fn fields(answer: &Answer, labels: &[String], top: usize) -> (&'static str, Value) {
    let shown = |ranked: &[(usize, f64)]| {
        // Probabilities are computed in f32.
        let one = |(at, p): &(usize, f64)| json!({"label": labels[*at], "probability": *p as f32});
        ranked.iter().map(one).collect()
    };
    match answer {
        Answer::Classes(ranked) => ("labels", shown(&ranked[..ranked.len().min(top.max(1))])),
        Answer::Labels(ranked) => ("labels", shown(ranked)),
        Answer::Values(values) => {
            let value = |(name, value)| json!({"name": name, "value": value});
            ("values", labels.iter().zip(values).map(value).collect())
        }
        Answer::Transcript(heard) => ("transcript", json!(heard)),
        Answer::Entities(found) => ("entities", json!(found)),
    }
}

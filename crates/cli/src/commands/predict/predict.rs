//! `predict`: labels or values for files.

use std::{borrow::Cow, collections::HashSet, slice};

use anyhow::Result;
use crosstune_core::data::Extent;
use crosstune_core::error::printable;
use crosstune_core::predict::{Answer, answers_with, score};
use crosstune_core::{
    BadSample, Error, Input, Item, Layout, MemoryBudget, Modality, ReadMode, Samples, Scores, Spec,
    Task, data, loader::refuse_bad,
};
use serde_json::{Value, json};

use super::args::{AnswerFormat, PredictArgs};
use super::lines;
use super::table::{Table, sigmoid};
use crate::{
    args::LayoutArgs,
    output::{self, Delimited, print, save, say, say_ignored, say_skipped, skipped},
    setup::{
        coverage::{When, covered, extents, say_coverage},
        open::open,
    },
};

pub(crate) fn predict<M: Modality>(args: &PredictArgs) -> Result<()> {
    for file in &args.files {
        if !file.exists() {
            let path = file.clone();
            return Err(Error::Path { path, problem: "no such file or folder".into() }.into());
        }
    }
    let format = args.output.format()?;
    // As transformers calls them.
    let unnamed = |_, classes| Ok((0..classes).map(|at| format!("LABEL_{at}")).collect());
    let (model, modality) = open::<M>(&args.source, unnamed, &args.compute)?;
    let (model, sets) = args.certainty.apply(model)?;
    let config = model.spec().task_config();
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
    let decoder = args.decode.decoder(config)?;
    let delimited = match format {
        Some(AnswerFormat::Csv) => Some(Delimited::Commas),
        Some(AnswerFormat::Tsv) => Some(Delimited::Tabs),
        _ => None,
    };
    let table = delimited.map(|form| Table {
        form,
        config,
        top: args.top,
        sets,
        texts: items.iter().map(|item| texts(&item.input).len()).max().unwrap_or(0),
        times: args.times,
        sigmoid: scores,
    });
    let mut written = String::new();
    let mut put = |text: String| match args.output.out {
        Some(_) => {
            written += &text;
            Ok(())
        }
        None => print(&text),
    };
    if let Some(table) = &table {
        put(table.head())?;
    }
    score(&model, &modality, &samples, size, |chosen, found| {
        let rows = answers_with(config, found, &decoder)?;
        for (row, (answer, &at)) in rows.into_iter().zip(chosen).enumerate() {
            let item = &items[at];
            let answer = located(answer, found, row, &modality, item)?;
            let texts = texts(&item.input);
            let text = (!texts.is_empty()).then(|| texts.join("\t"));
            if let Some(table) = &table {
                put(table.rows(&item.place.verbatim(), &texts, &answer, text.as_deref()))?;
                continue;
            }
            if format.is_none() {
                // A line for each input, whatever is in it.
                let cells: Vec<_> = texts.iter().map(|text| printable(text)).collect();
                let input = match cells.is_empty() {
                    true => item.place.to_string(),
                    false => cells.join("\t"),
                };
                let answer = lines::line(
                    &answer,
                    config,
                    (args.top, sets.as_ref()),
                    args.times,
                    text.as_deref(),
                );
                put(format!("{input}\t{answer}\n"))?;
                continue;
            }
            let mut line = json!({"input": item.place.verbatim(), "text": text});
            if let Value::Object(said) = answer.json(labels, args.top, text.as_deref()) {
                said.into_iter().for_each(|(name, value)| line[name] = value);
            }
            for (name, value) in answer.decided(config, sets.as_ref()) {
                line[name] = value;
            }
            if let (Answer::Values(values), true) = (&answer, scores) {
                line["values"][0]["sigmoid"] = json!(sigmoid(values[0]));
            }
            // What a model has not taken, its answer does not depend on.
            if let Some(Extent { whole, taken, .. }) =
                extents[at].filter(|extent| extent.taken < extent.whole)
            {
                line["cut"] = json!({"unit": M::EXTENT, "whole": whole, "taken": taken});
            }
            put(output::json(&line.to_string()) + "\n")?;
        }
        Ok(())
    })?;
    if let Some(out) = &args.output.out {
        save(out, written, args.output.overwrite)?;
        say("saved", out.display());
    }
    Ok(())
}

/// The texts of an input; none of a file.
fn texts(input: &Input) -> Cow<'_, [String]> {
    match input {
        Input::Text(text) => slice::from_ref(text).into(),
        Input::Pair(pair) => pair.into(),
        Input::Words(words) => vec![words.join(" ")].into(),
        Input::File(_) | Input::Bytes { .. } => vec![].into(),
        // One that cannot be read has no answer, either.
        Input::Stored(_) => match input.loaded() {
            Ok(loaded) => texts(&loaded).into_owned().into(),
            Err(_) => vec![].into(),
        },
    }
}

/// An answer with its places in the input.
fn located<M: Modality>(
    answer: Answer,
    scores: &Scores,
    row: usize,
    modality: &M,
    item: &Item,
) -> crosstune_core::Result<Answer> {
    let Scores::Sequences(_) = scores else { return Ok(answer) };
    let places = modality.places(&item.input, scores.positions(row));
    let bad = |cause| Error::BadSamples(vec![BadSample { place: item.place.clone(), cause }]);
    Ok(answer.located(&places.map_err(bad)?))
}

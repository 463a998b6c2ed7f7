//! `predict`: labels or values for files.

use anyhow::Result;
use crosstune_core::error::printable;
use crosstune_core::predict::{AnswerLine, answers_with, located, score};
use crosstune_core::{Modality, Scores, Spec, Task};

use super::args::{AnswerFormat, PredictArgs};
use super::lines;
use super::table::Table;
use crate::{
    args::LayoutArgs,
    output::{self, Delimited, print, save, say},
    setup::{
        coverage::{When, covered, extents, say_coverage},
        inputs,
        open::open,
    },
};

pub(crate) fn predict<M: Modality>(args: &PredictArgs) -> Result<()> {
    inputs::refuse_absent(&args.files)?;
    let format = args.output.format()?;
    // As transformers calls them.
    let unnamed = |_, classes| Ok((0..classes).map(|at| format!("LABEL_{at}")).collect());
    let (model, modality) = open::<M>(&args.source, unnamed, &args.compute)?;
    let (model, sets) = args.certainty.apply(model)?;
    let config = model.spec().task_config();
    let layout = LayoutArgs::of_inputs(&args.inputs, &args.source.path)?;
    let (items, samples) = inputs::read(&modality, &args.files, &layout, args.skip_bad)?;
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
        texts: items.iter().map(|item| item.input.texts().len()).max().unwrap_or(0),
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
            let positions = matches!(found, Scores::Sequences(_)).then(|| found.positions(row));
            let answer = located(answer, positions, &modality, item)?;
            let texts = item.input.texts();
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
            let line = AnswerLine {
                item,
                answer: &answer,
                config,
                sets: sets.as_ref(),
                top: args.top,
                sigmoid: scores,
                extent: extents[at],
                unit: M::EXTENT,
            }
            .json();
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

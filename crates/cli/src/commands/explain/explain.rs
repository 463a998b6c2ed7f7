//! `explain`: what answers are due to.

use std::fs;

use anyhow::Result;
use crosstune_core::error::printable;
use crosstune_core::predict::{
    Attributions, ExplainTarget, Explanation, answers, explain as explained_by, questions, score,
};
use crosstune_core::{
    BadSample, Error, Input, Item, Modality, Model, Preview, Spec, Surface, Task,
};
use crosstune_report::{Drawing, Explained, Explanations, Media, explanations};
use serde_json::{Value, json};

use super::args::ExplainArgs;
use super::words::{foremost, method, said, sum};
use crate::{
    args::{LayoutArgs, setting},
    output::{self, drawing, print, save, say, sheet},
    setup::{inputs, open::open},
};

/// What is asked of one input.
struct Asked<'i> {
    item: &'i Item,
    answer: String,
    question: ExplainTarget,
    /// The words that labels are of.
    words: Vec<String>,
}

pub(crate) fn explain<M: Modality>(args: &ExplainArgs) -> Result<()> {
    inputs::refuse_absent(&args.files)?;
    let options = args.how.options(&args.compute)?;
    refuse_folder(args)?;
    let unnamed = |_, classes| Ok((0..classes).map(|at| format!("LABEL_{at}")).collect());
    let (model, modality) = open::<M>(&args.source, unnamed, &args.compute)?;
    let target = target(args, model.spec())?;
    let layout = LayoutArgs::of_inputs(&args.inputs, &args.source.path)?;
    let (items, samples) = inputs::read(&modality, &args.files, &layout, args.skip_bad)?;

    let word = args.word.map(|word| word.get() - 1);
    let config = model.spec().task_config();
    let (mut asked, mut silent, mut beyond) = (vec![], vec![], 0);
    score(&model, &modality, &samples, args.compute.batch_size.get(), |chosen, found| {
        for (row, (answer, &at)) in answers(config, found)?.into_iter().zip(chosen).enumerate() {
            let item = &items[at];
            let bad =
                |cause| Error::BadSamples(vec![BadSample { place: item.place.clone(), cause }]);
            let places = modality.places(&item.input, found.positions(row)).map_err(bad)?;
            let text = item.input.texts().join("\t");
            let text = (!text.is_empty()).then_some(text);
            let answer = said(&answer.located(&places), &model.spec().labels, text.as_deref());
            let all = questions(config, found, row, target, word)?;
            if all.is_empty() {
                silent.push(item);
            }
            for question in all {
                if asked.len() == args.limit.get() {
                    beyond += 1;
                    continue;
                }
                let words = words(&item.input, &places.words, text.as_deref());
                asked.push(Asked { item, answer: answer.clone(), question, words });
            }
        }
        Ok(())
    })?;
    let mut notes = vec![];
    for item in silent {
        notes.push(format!("{}: nothing is found in it, so nothing is explained", item.place));
    }
    if beyond > 0 {
        notes.push(format!("{beyond} more are left out: raise --limit to explain them"));
    }
    notes.iter().for_each(|note| say("note", note));
    let Some(first) = asked.first() else {
        return Err(setting("FILE", "there is nothing to explain in the answers; name others"));
    };
    let unit = drawing::unit(&first.question, model.spec());

    let (mut shown, mut record, mut pictures) = (vec![], vec![], vec![]);
    let mut how = String::new();
    for (at, Asked { item, answer, question, words }) in asked.iter().enumerate() {
        let of = explained_by(&model, &modality, &item.input, question, &options)?;
        let adds = of.baseline_score.is_some();
        let drawing = drawing::drawing(&of, adds)?;
        how = method(options.method, of.baseline, &unit);
        let asked = drawing::why(question, model.spec(), words, word);
        let sum = sum(&of, &unit);
        print(&format!("{}\t{}\t{}\n", item.place, printable(&asked), foremost(&drawing)))?;
        let file = format!("{:03}.png", at + 1);
        record.push(recorded(&file, item, answer, &asked, &of));
        let png = match &drawing {
            Drawing::Words(marks) => drawing::words_png(marks)?,
            Drawing::Heat { png, .. } => png.0.clone(),
        };
        pictures.push((file, png));
        let (place, answer, media) =
            (item.place.verbatim(), answer.clone(), media(&modality, item, &of)?);
        shown.push(Explained { place, answer, asked, sum, media, drawing });
    }
    let page = explanations(&Explanations {
        model: args.source.path.display().to_string(),
        method: how.clone(),
        unit: unit.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        notes,
        shown,
    });
    let numbers = json!({
        "model": args.source.path, "method": how, "unit": unit, "explanations": record,
    });
    write(args, &model, pictures, &numbers, &page)
}

/// Refuses a folder that has something in it, before any work.
fn refuse_folder(args: &ExplainArgs) -> Result<()> {
    let out = &args.out;
    let there = fs::read_dir(out).map(|mut files| files.next().is_some());
    match (there, out.symlink_metadata()) {
        (Ok(true), _) if !args.overwrite => {
            let problem =
                format!("{} is not empty; name another, or add --overwrite", out.display());
            Err(setting("--out", problem))
        }
        (Ok(_), _) => Ok(()),
        (Err(_), Ok(_)) => {
            let problem = format!("{} is no folder that can be read; name another", out.display());
            Err(setting("--out", problem))
        }
        (Err(_), Err(_)) => Ok(()),
    }
}

/// The label or value that is to be explained, by its name.
fn target(args: &ExplainArgs, spec: &Spec) -> Result<Option<usize>> {
    let Some(name) = &args.target else { return Ok(None) };
    if spec.task == Task::Transcription {
        return Err(setting("--target", "a text has no label; --word explains one of its words"));
    }
    match spec.labels.iter().position(|label| label == name) {
        Some(at) => Ok(Some(at)),
        None => {
            const SHOWN: usize = 12;
            let mut names = spec.labels.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
            if spec.labels.len() > SHOWN {
                names += ", …";
            }
            Err(setting("--target", format!("{name}: the model answers with {names}")))
        }
    }
}

/// The words that labels are of.
fn words(input: &Input, places: &[std::ops::Range<usize>], text: Option<&str>) -> Vec<String> {
    if let Input::Words(words) = input {
        return words.clone();
    }
    let characters: Vec<char> = text.unwrap_or_default().chars().collect();
    let word = |at: &std::ops::Range<usize>| -> String {
        characters.get(at.clone()).map(|word| word.iter().collect()).unwrap_or_default()
    };
    places.iter().map(word).collect()
}

/// The input itself, to look at and to listen to; of a text there is nothing but its words.
fn media<M: Modality>(modality: &M, item: &Item, of: &Explanation) -> Result<Option<Media>> {
    let bad = |cause| Error::BadSamples(vec![BadSample { place: item.place.clone(), cause }]);
    let encoded = |width: u32, height: u32, rgb: &[u8]| -> Result<Vec<u8>> {
        let mut png = vec![];
        sheet::png(&mut png, width, height, rgb)?;
        Ok(png)
    };
    let wav = modality.preview_audio(&item.input).map_err(bad)?;
    Ok(match (&of.surface, wav) {
        (Surface::Words { .. }, _) => None,
        (Surface::Picture(pixels), _) => {
            let png = encoded(pixels.width, pixels.height, &pixels.rgb)?.into();
            Some(Media::Picture { png })
        }
        (Surface::Recording { spectrogram, .. }, Some(wav)) => {
            let png = encoded(spectrogram.width, spectrogram.height, &spectrogram.rgb)?;
            Some(Media::Sound { wav: wav.into(), spectrogram_png: png.into() })
        }
        (Surface::Recording { .. }, None) => match modality.preview(&item.input).map_err(bad)? {
            Preview::Picture { width, height, rgb } => {
                Some(Media::Picture { png: encoded(width, height, &rgb)?.into() })
            }
            Preview::Text(_) => None,
        },
    })
}

/// An explanation for programs.
fn recorded(file: &str, item: &Item, answer: &str, asked: &str, of: &Explanation) -> Value {
    let parts = match (&of.surface, &of.attributions) {
        (Surface::Words { text, words, .. }, Attributions::Words(values)) => {
            let characters: Vec<char> = text.chars().collect();
            let word = |(at, value): (&std::ops::Range<usize>, &f64)| {
                let word: String = characters
                    .get(at.clone())
                    .map(|word| word.iter().collect())
                    .unwrap_or_default();
                json!({"word": word, "start": at.start, "end": at.end, "attribution": value})
            };
            json!({"text": text, "words": words.iter().zip(values).map(word).collect::<Vec<_>>()})
        }
        (surface, Attributions::Map { rows, columns, values }) => {
            let grid: Vec<&[f64]> = values.chunks(*columns).collect();
            let mut map = json!({"rows": rows, "columns": columns, "attributions": grid});
            match surface {
                Surface::Picture(pixels) => {
                    map["width"] = json!(pixels.width);
                    map["height"] = json!(pixels.height);
                }
                Surface::Recording { seconds, .. } => map["seconds"] = json!(seconds),
                Surface::Words { .. } => {}
            }
            json!({"map": map})
        }
        _ => Value::Null,
    };
    let mut record = json!({
        "input": item.place.verbatim(), "answer": answer, "asked": asked, "file": file,
        "score": of.score, "baseline": of.baseline.name(), "baseline_score": of.baseline_score,
        "rest": of.rest, "residual": of.residual, "steps": of.steps, "converged": of.converged,
    });
    if let Value::Object(parts) = parts {
        parts.into_iter().for_each(|(name, value)| record[name] = value);
    }
    record
}

/// Writes the folder; the page that stands for it last.
fn write(
    args: &ExplainArgs,
    model: &Model,
    pictures: Vec<(String, Vec<u8>)>,
    numbers: &Value,
    page: &str,
) -> Result<()> {
    fs::create_dir_all(&args.out).map_err(Error::io(&args.out, "create"))?;
    let count = pictures.len();
    for (name, png) in pictures {
        save(&args.out.join(name), png, args.overwrite)?;
    }
    let numbers = output::json(&format!("{numbers:#}")) + "\n";
    save(&args.out.join("explanations.json"), numbers, args.overwrite)?;
    let index = args.out.join("index.html");
    save(&index, page, args.overwrite)?;
    let task = model.spec().task;
    say("saved", format!("{}, explanations of {count} answers ({task})", index.display()));
    Ok(())
}

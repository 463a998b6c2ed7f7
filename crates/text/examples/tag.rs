//! Finds what a model that `crosstune-text train --task tag` made has learned to find (names, say), with its
//! place in the text:
//!
//! ```text
//! cargo run --release -p crosstune-text --example tag -- runs/names "Ada Lovelace was born in London."
//! ```

#![allow(clippy::print_stdout)]

use std::{env, path::Path};

use crosstune_core::{
    BoxError, Device, Item, Location, MemoryBudget, Modality, ReadMode, Samples,
    predict::{Answer, answers, score},
    run,
};
use crosstune_text::TextSettings;

fn main() -> Result<(), BoxError> {
    let mut args = env::args().skip(1);
    let folder = args.next().ok_or("usage: tag RUN TEXT…")?;
    let (model, text) = run::open::<TextSettings>(Path::new(&folder), Device::cuda_if_available())?;

    let place = |line| Location { path: Path::new("text").into(), line: Some(line) };
    let items: Vec<Item> =
        args.zip(1..).map(|(text, line)| Item::text(&text, place(line))).collect();
    let memory = &mut MemoryBudget::default();
    let (samples, bad) = Samples::read(&text, &items, ReadMode::Inference, memory, || ());
    if let Some(bad) = bad.first() {
        return Err(bad.to_string().into());
    }

    score(&model, &text, &samples, 32, |chosen, scores| {
        let answers = answers(model.spec().task_config(), scores)?;
        for (row, (answer, &at)) in answers.into_iter().zip(chosen).enumerate() {
            let places = text.places(&items[at].input, scores.positions(row)).unwrap_or_default();
            let Answer::Entities(found) = answer.located(&places) else { continue };
            for entity in found {
                let [from, to] = entity.characters.unwrap_or_default();
                let shown = entity.text.unwrap_or_default();
                println!(
                    "{}: {shown:?} is {}, characters {from} to {to}",
                    items[at].place, entity.label
                );
            }
        }
        Ok(())
    })?;
    Ok(())
}

//! Transcribes recordings with a model that `crosstune-audio train --task transcribe` made, and tells when
//! each word was said:
//!
//! ```text
//! cargo run --release -p crosstune-audio --example transcribe -- runs/speech FILE…
//! ```

#![allow(clippy::print_stdout)]

use std::{env, path::PathBuf};

use crosstune_audio::AudioSettings;
use crosstune_core::{
    BoxError, Device, Input, Item, Location, MemoryBudget, Modality, ReadMode, Samples,
    predict::{Answer, answers, score},
    run,
};

fn main() -> Result<(), BoxError> {
    let mut args = env::args_os().skip(1).map(PathBuf::from);
    let folder = args.next().ok_or("usage: transcribe RUN FILE…")?;
    let (model, audio) = run::open::<AudioSettings>(&folder, Device::cuda_if_available())?;

    let item = |path: PathBuf| {
        let place = Location { path: path.as_path().into(), line: None };
        Item::new(Input::File(path), place)
    };
    let items: Vec<Item> = args.map(item).collect();
    let memory = &mut MemoryBudget::default();
    let (samples, bad) = Samples::read(&audio, &items, ReadMode::Inference, memory, || ());
    if let Some(bad) = bad.first() {
        return Err(bad.to_string().into());
    }

    score(&model, &audio, &samples, 8, |chosen, scores| {
        let answers = answers(model.spec().task_config(), scores)?;
        for (row, (answer, &at)) in answers.into_iter().zip(chosen).enumerate() {
            // From the model's positions to seconds.
            let positions = scores.positions(row);
            let places = audio.places(&items[at].input, positions).unwrap_or_default();
            let Answer::Transcript(heard) = answer.located(&places) else { continue };
            println!("{}: {}", items[at].place, heard.text);
            for word in heard.words {
                let [from, to] = word.seconds.unwrap_or_default();
                println!("  {from:6.2} to {to:6.2} s  {}", word.word);
            }
        }
        Ok(())
    })?;
    Ok(())
}

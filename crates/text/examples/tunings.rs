//! What several tunings of one base cost in one process, beside one of them:
//!
//! ```text
//! cargo run --release -p crosstune-text --example tunings -- SENTENCES.txt RUN…
//! ```
//!
//! Batches of 32 sentences are answered by one model, and by all of them in turn, one batch after the other, so
//! that both meet the same machine.

#![allow(clippy::print_stdout)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    time::Instant,
};

use crosstune_core::{
    BoxError, Device, Input, Item, Location, Modality, Precision, SharedTensors,
    predict::{AnsweringModel, AnsweringTunings, Asked, Question},
    run::open_shared,
    task::ctc::Decoder,
};
use crosstune_text::TextSettings;

const ROWS: usize = 32;
const ROUNDS: usize = 15;

fn main() -> Result<(), BoxError> {
    let mut args = env::args_os().skip(1).map(PathBuf::from);
    let texts = fs::read_to_string(args.next().ok_or("usage: tunings SENTENCES.txt RUN…")?)?;
    let shared = SharedTensors::default();
    let mut opened: Vec<(AnsweringModel, TextSettings)> = vec![];
    for folder in args {
        let (model, mut text) =
            open_shared::<TextSettings>(&folder, Device::Cpu, Precision::F32, &shared)?;
        opened.iter().for_each(|(_, other)| text.share(other));
        opened.push((AnsweringModel::new(model), text));
    }
    let each: Vec<_> = opened.iter().map(|(model, text)| (model, text)).collect();
    let together = AnsweringTunings::new(&each)?;
    let all: Vec<usize> = (0..opened.len()).collect();
    let (once, alone) = together.tunings().bytes(&all);
    println!("parameters  {:.1} MiB, and {:.1} MiB without sharing", mib(once), mib(alone));
    for (models, parts) in together.tunings().shared() {
        println!("together    {} models go through {parts} blocks", models.len());
    }

    // Of about the same length together, as a server has it.
    let mut lines: Vec<&str> = texts.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.sort_by_key(|line| line.len());
    let place = Location { path: Path::new("sentences").into(), line: None };
    let read = |line: &&str| {
        let item = Item::new(Input::Text((*line).into()), place.clone());
        Asked::read(&opened[0].1, item).map_err(|bad| bad.to_string())
    };
    let asked = lines.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let batches: Vec<&[Asked]> = asked.chunks(ROWS).filter(|batch| batch.len() == ROWS).collect();
    let (mut one, mut mixed) = (vec![], vec![]);
    for round in 0..ROUNDS {
        let batch = batches[(round * 7) % batches.len()];
        one.push(time(&together, &opened, batch, 1)?);
        mixed.push(time(&together, &opened, batch, opened.len())?);
    }
    let sum = |seconds: &[f64]| seconds.iter().sum::<f64>();
    let rate = |seconds: &[f64]| (seconds.len() * ROWS) as f64 / sum(seconds);
    println!("one model   {:.0} sentences/s", rate(&one));
    println!("{:<11} {:.0} sentences/s", format!("{} mixed", opened.len()), rate(&mixed));
    let mut ratios: Vec<f64> = one.iter().zip(&mixed).map(|(one, mixed)| one / mixed).collect();
    ratios.sort_by(f64::total_cmp);
    println!("ratio       {:.3} (median of {ROUNDS} pairs)", ratios[ROUNDS / 2]);
    for line in fs::read_to_string("/proc/self/status")?.lines() {
        if ["VmRSS", "RssAnon", "VmHWM"].iter().any(|name| line.starts_with(name)) {
            println!("memory      {line}");
        }
    }
    Ok(())
}

/// The seconds for a batch whose rows are so many models' in turn.
fn time<'b>(
    together: &AnsweringTunings,
    opened: &[(AnsweringModel, TextSettings)],
    batch: &'b [Asked],
    models: usize,
) -> Result<f64, BoxError> {
    let decoder = Decoder::Greedy;
    let question = |(at, asked): (usize, &'b Asked)| {
        let model = at % models;
        Question { model, modality: &opened[model].1, decoder: &decoder, asked }
    };
    let questions: Vec<_> = batch.iter().enumerate().map(question).collect();
    let start = Instant::now();
    let said = together.answer(&questions, ROWS)?;
    assert_eq!(said.len(), batch.len());
    Ok(start.elapsed().as_secs_f64())
}

fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

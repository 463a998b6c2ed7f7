//! Recordings into log-mel frames: `crates/audio/examples/inputs.rs` against torchaudio in
//! `xtask/scripts/inputs_audio.py`, each in a fresh process, the files in the page cache.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::measure::{figure, output, peer};
use super::options::Options;
use crate::{build, paths};

/// How often each side has its turn, if nobody says.
const ROUNDS: usize = 9;

/// The data below the folder that `--data` names.
const DATA: &str = "speech/fsdd";

/// Runs the comparison on one core and on two: threads for us, processes for Python.
pub(super) fn run(options: &Options) -> Result<()> {
    let Some(torch) = peer(&options.python, &["torchaudio"]) else { return Ok(()) };
    let folder = options.data.join(DATA);
    if !folder.exists() {
        say!("recordings left out: no {DATA} in {}", options.data.display());
        return Ok(());
    }
    let example = build::example("inputs")?;
    let run = |mut command: Command, threads: usize| -> Result<Value> {
        command.arg(&folder).arg(threads.to_string());
        let text = output(&mut command)?;
        serde_json::from_str(&text).with_context(|| text)
    };
    let rounds = options.rounds.unwrap_or(ROUNDS);
    // Seconds on one core and on two.
    let (mut ours, mut theirs) = (vec![], vec![]);
    let (mut files, mut decoder) = (0., String::new());
    for _ in 0..rounds {
        let (mut our_turn, mut their_turn) = ([0.; 2], [0.; 2]);
        for (i, threads) in [1, 2].into_iter().enumerate() {
            let inputs = Command::new(&example);
            let our = run(inputs, threads)?;
            let mut python = Command::new(&options.python);
            python.arg(paths::root().join("xtask/scripts/inputs_audio.py"));
            let their = run(python, threads)?;
            same_work(&our, &their)?;
            (our_turn[i], their_turn[i]) = (figure(&our, "/seconds")?, figure(&their, "/seconds")?);
            files = figure(&our, "/files")?;
            decoder = their["decoder"].as_str().unwrap_or("?").to_owned();
        }
        ours.push(our_turn);
        theirs.push(their_turn);
    }
    say!(
        "ours against torchaudio with PyTorch {torch}, its WAV files decoded by {decoder}: {files} \
         recordings into log-mel frames, the best of {rounds} rounds, by turns, \
         for other work on the machine only ever adds; a ratio above 1 is in \
         our favour\n"
    );
    for (label, i, j) in
        [("one core", 0, 0), ("two cores", 1, 1), ("two of ours to one of theirs", 1, 0)]
    {
        let (a, b) = (best(&ours, i), best(&theirs, j));
        let each = |seconds: f64| 1e6 * seconds / files;
        say!("{label:<29} {:>5.0} / {:>5.0} µs a recording = {:.2}×", each(a), each(b), b / a);
    }
    Ok(())
}

fn best(turns: &[[f64; 2]], cores: usize) -> f64 {
    turns.iter().map(|turn| turn[cores]).fold(f64::INFINITY, f64::min)
}

/// Checks that both sides made the same frames.
fn same_work(our: &Value, their: &Value) -> Result<()> {
    for (pointer, within) in [("/files", 0.), ("/frames", 0.), ("/sum", 1e-6)] {
        let (a, b) = (figure(our, pointer)?, figure(their, pointer)?);
        if (a - b).abs() > within * b.abs() {
            bail!("{pointer} is {a} for us and {b} for torchaudio");
        }
    }
    Ok(())
}

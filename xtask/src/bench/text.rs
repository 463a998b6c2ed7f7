//! Tokenising SST-2: `crates/text/examples/tokenize.rs` against one call of transformers' tokenizer,
//! `xtask/scripts/inputs_text.py`, each in a fresh process; both with the tokenizer of all-MiniLM-L6-v2.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::measure::{figure, median, output, peer};
use super::options::Options;
use crate::{build, minilm, paths};

/// How often each side has its turn, if nobody says.
const ROUNDS: usize = 5;

/// What a turn came to.
struct Turn {
    seconds: f64,
    tokens: f64,
}

/// Runs all jobs: on one thread, then on all.
pub(super) fn run(options: &Options) -> Result<()> {
    let files: Vec<PathBuf> = ["train", "dev", "test"]
        .map(|split| options.data.join(format!("text/sst2/{split}.tsv")))
        .into();
    if let Some(missing) = files.iter().find(|file| !file.exists()) {
        say!("tokenising is left out: no {}", missing.display());
        return Ok(());
    }
    let Some(torch) = peer(&options.python, &["transformers"]) else { return Ok(()) };
    let example = build::example("tokenize")?;
    let model = minilm::fetch()?;
    let rounds = options.rounds.unwrap_or(ROUNDS);
    say!(
        "ours against transformers with PyTorch {torch}: all sentences of SST-2 to padded tensors, \
         medians of {rounds} rounds, by turns; a ratio above 1 is in our favour\n"
    );
    say!("{:<12} {:>9} {:>28} {:>18}", "tokenising", "tokens", "time, ms", "ours, M tokens/s");
    let all = thread::available_parallelism()?.get();
    for threads in if all > 1 { vec![1, all] } else { vec![1] } {
        let (mut ours, mut theirs) = (vec![], vec![]);
        for _ in 0..rounds {
            let our = Command::new(&example);
            let our = turn(our, threads, &model, &files)?;
            let mut python = Command::new(&options.python);
            python.arg(paths::root().join("xtask/scripts/inputs_text.py"));
            let their = turn(python, threads, &model, &files)?;
            same_work(&our, &their)?;
            ours.push(of(&our)?);
            theirs.push(of(&their)?);
        }
        let (a, b) = (median(&ours, |t| t.seconds), median(&theirs, |t| t.seconds));
        let tokens = median(&ours, |t| t.tokens);
        say!(
            "{:<12} {tokens:>9.0} {:>28} {:>18.2}",
            format!("{threads} thread{}", if threads == 1 { "" } else { "s" }),
            format!("{:.1} / {:.1} = {:.2}×", 1e3 * a, 1e3 * b, b / a),
            tokens / a / 1e6,
        );
    }
    Ok(())
}

fn turn(mut command: Command, threads: usize, model: &Path, files: &[PathBuf]) -> Result<Value> {
    command.arg(model).args(files);
    for pool in ["RAYON_NUM_THREADS", "RAYON_RS_NUM_THREADS", "OMP_NUM_THREADS"] {
        command.env(pool, threads.to_string());
    }
    let text = output(&mut command)?;
    serde_json::from_str(&text).with_context(|| text)
}

fn of(result: &Value) -> Result<Turn> {
    Ok(Turn { seconds: figure(result, "/seconds")?, tokens: figure(result, "/tokens")? })
}

/// Checks that both sides found the same tokens.
fn same_work(our: &Value, their: &Value) -> Result<()> {
    for field in ["shape", "tokens", "sum"] {
        if our[field] != their[field] {
            bail!("{field} is {} for us and {} for Python", our[field], their[field]);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn other_work_is_noticed() {
        let of = |sum: u64| json!({"shape": [2, 3], "tokens": 6, "sum": sum, "seconds": sum});
        assert!(same_work(&of(7), &of(7)).is_ok());
        assert!(same_work(&of(7), &of(8)).is_err());
    }
}

//! Two processes that train one model against one process: ours, and PyTorch's `DistributedDataParallel`.

use std::process::Command;

use anyhow::Result;

use super::measure::{figure, median, peer, result};
use super::options::Options;
use crate::build::{self, Profile};
use crate::{minilm, paths};

/// How often each has its turn, if nobody says.
const ROUNDS: usize = 3;

/// The sentences that a process computes at a time.
const BATCHES: [usize; 3] = [16, 32, 64];

/// Sentences below the folder of `--data`.
const DATA: &str = "text/sst2/train.tsv";

/// Fewest steps whose median says anything.
const FEWEST: usize = 10;

/// What both sides are asked for beside the batch and the number of steps.
const SHARED: [&str; 6] =
    ["--freeze", "nothing", "--max-length", "128", "--limit-per-class", "1000"];

/// Runs all batches on both sides.
pub(super) fn run(options: &Options) -> Result<()> {
    if !options.data.join(DATA).exists() {
        say!("processes are left out: no {DATA} in {}", options.data.display());
        return Ok(());
    }
    let torch = peer(&options.python, &["transformers"]);
    build::binaries(Profile::Release)?;
    let rounds = options.rounds.unwrap_or(ROUNDS);
    say!(
        "two processes against one, a thread each, fine-tuning all-MiniLM-L6-v2 on SST-2: medians of \
         {rounds} rounds, by turns; two have twice the samples in a step\n"
    );
    say!("{:<34} {:>12} {:>12} {:>12}", "", "one, ms", "two, ms", "samples/s");
    let mut sides: Vec<(&str, Step)> = vec![("ours", ours)];
    if torch.is_some() {
        sides.push(("DistributedDataParallel", peers));
    }
    for batch in BATCHES {
        let steps = (options.steps * BATCHES[0] / batch).max(FEWEST);
        for (name, step) in &sides {
            let mut times = vec![];
            for _ in 0..rounds {
                times.push([step(options, 1, batch, steps)?, step(options, 2, batch, steps)?]);
            }
            let [one, two] = [0, 1].map(|at| 1e3 * median(&times, |times| times[at]));
            say!(
                "{:<34} {one:>12.0} {two:>12.0} {:>11.2}×",
                format!("{name}, {batch} a process"),
                2. * one / two
            );
        }
    }
    Ok(())
}

/// The seconds of a step of so many processes, with batches of so many, in the middle of so many steps.
type Step = fn(&Options, usize, usize, usize) -> Result<f64>;

fn ours(options: &Options, processes: usize, batch: usize, steps: usize) -> Result<f64> {
    let out = paths::runs().join("bench");
    let mut command = build::binary(Profile::Release, "text");
    command.arg("train").arg("--weights").arg(minilm::fetch()?);
    command.arg("--data").arg(options.data.join(DATA)).args(SHARED).args(["--dropout", "0.1"]);
    command.args(["--epochs", "100", "--validation", "0", "--max-steps", &steps.to_string()]);
    command.args(["--batch-size", &batch.to_string()]).env("OMP_NUM_THREADS", "1");
    if processes > 1 {
        command.args(["--processes", &processes.to_string()]);
    }
    let result =
        result(command.arg("--out").arg(&out).arg("--overwrite"), &out.join("result.json"))?;
    figure(&result, "/cost/seconds_per_step")
}

fn peers(options: &Options, processes: usize, batch: usize, steps: usize) -> Result<f64> {
    let out = paths::runs().join("bench-peer.json");
    let mut command = Command::new(&options.python);
    if processes > 1 {
        command.args(["-m", "torch.distributed.run", "--standalone"]);
        command.args(["--nproc-per-node", &processes.to_string()]);
    }
    command.arg(paths::root().join("xtask/scripts/peer.py")).args(["--job", "text"]);
    command.arg("--weights").arg(minilm::fetch()?);
    command.arg("--data").arg(options.data.join(DATA)).args(SHARED);
    command.args(["--epochs", "100", "--steps", &steps.to_string(), "--threads", "1"]);
    command.args(["--batch", &batch.to_string()]).env("OMP_NUM_THREADS", "1");
    let result = result(command.arg("--out").arg(&out), &out)?;
    figure(&result, "/step_median_s")
}

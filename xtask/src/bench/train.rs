//! Training: our binaries against a PyTorch script of the same job, `xtask/scripts/peer.py`.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde_json::Value;

use super::measure::{figure, median, output, peer};
use super::options::Options;
use crate::build::{self, Profile};
use crate::{minilm, paths};

/// How often each side has its turn, if nobody says.
const ROUNDS: usize = 3;

/// A job that both sides do: 16 samples a step, all-MiniLM-L6-v2 below.
struct Job {
    name: &'static str,
    /// The data below the folder that `--data` names.
    data: &'static str,
    freeze: &'static str,
    /// Our options beside the shared ones.
    ours: &'static [&'static str],
}

/// Where the Free Spoken Digit Dataset keeps its labels and its test split; 0.64 s of each.
const FSDD: &[&str] =
    &["--label-pattern", r"^(?<label>\d)_", "--test-pattern", r"_[0-4]\.wav$", "--frames", "64"];

const JOBS: [Job; 4] = [
    Job {
        name: "image",
        data: "images/cifar10",
        freeze: "trunk-but-norms",
        ours: &["--patch", "4"],
    },
    Job { name: "audio", data: "speech/fsdd", freeze: "trunk-but-norms", ours: FSDD },
    Job { name: "audio", data: "speech/fsdd", freeze: "nothing", ours: FSDD },
    Job {
        name: "text",
        data: "text/sst2/train.tsv",
        freeze: "nothing",
        ours: &["--max-length", "128"],
    },
];

/// The figures that are compared, the smaller the better.
#[derive(Clone, Copy)]
struct Cost {
    first_batch: f64,
    step: f64,
    peak_mib: f64,
}

/// Runs all jobs.
pub(super) fn run(options: &Options) -> Result<()> {
    let Some(torch) = peer(&options.python, &["torchaudio", "transformers"]) else { return Ok(()) };
    let weights = minilm::fetch()?;
    build::binaries(Profile::Release)?;
    let rounds = options.rounds.unwrap_or(ROUNDS);
    say!(
        "ours against PyTorch {torch}: medians of {rounds} rounds of {} steps, by turns; a ratio above 1 is in our favour\n",
        options.steps
    );
    say!(
        "{:<8} {:<16} {:>22} {:>22} {:>24}",
        "job",
        "frozen",
        "to first batch, s",
        "a step, ms",
        "peak memory, MiB"
    );
    for job in &JOBS {
        if !options.data.join(job.data).exists() {
            say!(
                "{:<8} {:<16} left out: no {} in {}",
                job.name,
                job.freeze,
                job.data,
                options.data.display()
            );
            continue;
        }
        let (mut ours, mut theirs) = (vec![], vec![]);
        for _ in 0..rounds {
            ours.push(our_run(job, options, &weights)?);
            theirs.push(peer_run(job, options, &weights)?);
        }
        let pair = |of: fn(&Cost) -> f64, scale: f64, digits: usize| {
            let (a, b) = (scale * median(&ours, of), scale * median(&theirs, of));
            format!("{a:.digits$} / {b:.digits$} = {:.2}×", b / a)
        };
        say!(
            "{:<8} {:<16} {:>22} {:>22} {:>24}",
            job.name,
            job.freeze,
            pair(|c| c.first_batch, 1., 2),
            pair(|c| c.step, 1e3, 0),
            pair(|c| c.peak_mib, 1., 0),
        );
    }
    Ok(())
}

fn our_run(job: &Job, options: &Options, weights: &Path) -> Result<Cost> {
    let out = paths::runs().join("bench");
    let mut command = build::binary(Profile::Release, job.name);
    command.arg("train").arg("--weights").arg(weights);
    command.arg("--data").arg(options.data.join(job.data));
    command.args(["--freeze", job.freeze, "--epochs", "1", "--validation", "0"]);
    // The checkpoint's dropout, which the peer has too.
    command.args(["--max-steps", &options.steps.to_string(), "--dropout", "0.1"]).args(job.ours);
    let result =
        result(command.arg("--out").arg(&out).arg("--overwrite"), &out.join("result.json"))?;
    let number = |pointer| figure(&result, pointer);
    Ok(Cost {
        first_batch: number("/cost/seconds_to_first_batch")?,
        step: number("/cost/seconds_per_step")?,
        peak_mib: number("/cost/peak_memory_mib")?,
    })
}

fn peer_run(job: &Job, options: &Options, weights: &Path) -> Result<Cost> {
    let out = paths::runs().join("bench-peer.json");
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    let mut command = Command::new(&options.python);
    command.arg(paths::root().join("xtask/scripts/peer.py")).args(["--job", job.name]);
    command.arg("--weights").arg(weights).arg("--data").arg(options.data.join(job.data));
    command.args(["--freeze", job.freeze, "--steps", &options.steps.to_string()]);
    command.args(["--started-at", &now.to_string()]);
    let result = result(command.arg("--out").arg(&out), &out)?;
    let number = |pointer| figure(&result, pointer);
    Ok(Cost {
        first_batch: number("/first_batch_s")?,
        step: number("/step_median_s")?,
        peak_mib: number("/peak_rss_bytes")? / 1024. / 1024.,
    })
}

/// Runs a command and reads the JSON file that it leaves.
fn result(command: &mut Command, file: &Path) -> Result<Value> {
    output(command)?;
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    serde_json::from_str(&text).with_context(|| file.display().to_string())
}

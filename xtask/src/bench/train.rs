//! Training: our binaries against a PyTorch script of the same job, `xtask/scripts/peer.py`, each in f32
//! and in bf16, and PyTorch's model also through `torch.compile`.

use std::mem;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use super::measure::{figure, median, peer, result};
use super::options::Options;
use crate::build::{self, Profile};
use crate::{minilm, paths};

/// How often each side has its turn, if nobody says.
const ROUNDS: usize = 5;

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

/// One way to do a job.
struct Arm {
    name: &'static str,
    side: Side,
    /// Whether products are computed in bf16.
    halves: bool,
    /// Options of our binary, or of the peer.
    with: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Ours,
    PyTorch,
}

const ARMS: [Arm; 7] = {
    use Side::{Ours, PyTorch};
    const fn arm(
        name: &'static str,
        side: Side,
        halves: bool,
        with: &'static [&'static str],
    ) -> Arm {
        Arm { name, side, halves, with }
    }
    [
        arm("ours, f32", Ours, false, &[]),
        arm("ours, medium", Ours, true, &["--matmul-precision", "medium"]),
        arm("ours, bf16", Ours, true, &["--precision", "bf16"]),
        arm("eager, f32", PyTorch, false, &[]),
        arm("compiled, f32", PyTorch, false, &["--compile"]),
        arm("eager, bf16", PyTorch, true, &["--autocast"]),
        arm("compiled, bf16", PyTorch, true, &["--compile", "--autocast"]),
    ]
};

/// The figures that are compared, the smaller the better.
#[derive(Clone, Copy)]
struct Cost {
    first_batch: f64,
    step: f64,
    peak_mib: f64,
}

/// What an arm's turns came to: none if it cannot run.
struct Turns {
    arm: &'static Arm,
    costs: Vec<Cost>,
}

/// Runs all jobs.
pub(super) fn run(options: &Options) -> Result<()> {
    let Some(torch) = peer(&options.python, &["torchaudio", "transformers"]) else { return Ok(()) };
    let weights = minilm::fetch()?;
    build::binaries(Profile::Release)?;
    let rounds = options.rounds.unwrap_or(ROUNDS);
    say!(
        "ours against PyTorch {torch}: medians of {rounds} rounds of {} steps, by turns; a ratio is to \
         ours of the same precision, above 1 in our favour\n",
        options.steps
    );
    for job in JOBS.iter().filter(|job| options.job.as_ref().is_none_or(|name| name == job.name)) {
        say!("{}, {} frozen", job.name, job.freeze);
        if !options.data.join(job.data).exists() {
            say!("  left out: no {} in {}", job.data, options.data.display());
            continue;
        }
        table(&turns(job, options, &weights, rounds)?)?;
    }
    Ok(())
}

/// All arms by turns, so often. One that fails at its first turn is left out, with a line that says why.
fn turns(job: &Job, options: &Options, weights: &Path, rounds: usize) -> Result<Vec<Turns>> {
    let mut all: Vec<Turns> = ARMS.iter().map(|arm| Turns { arm, costs: vec![] }).collect();
    for _ in 0..rounds {
        for mut turns in mem::take(&mut all) {
            let cost = match turns.arm.side {
                Side::Ours => our_run(job, turns.arm, options, weights),
                Side::PyTorch => peer_run(job, turns.arm, options, weights),
            };
            match cost {
                Ok(cost) => {
                    turns.costs.push(cost);
                    all.push(turns);
                }
                Err(error) => say!("  {} left out: {}", turns.arm.name, last_line(&error)),
            }
        }
    }
    Ok(all)
}

/// A traceback ends with what is wrong.
fn last_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().to_owned()
}

fn table(all: &[Turns]) -> Result<()> {
    let figures: [fn(&Cost) -> f64; 3] = [|c| c.first_batch, |c| 1e3 * c.step, |c| c.peak_mib];
    let middle = |turns: &Turns, of| median(&turns.costs, of);
    // Of our arms, the one that PyTorch's of a precision are set against.
    let ours = |halves: bool| {
        let mut ours = all.iter().filter(|t| t.arm.side == Side::Ours && t.arm.halves == halves);
        ours.next_back()
    };
    say!(
        "  {:<16} {:>20} {:>20} {:>20}",
        "",
        "to first batch, s",
        "a step, ms",
        "peak memory, MiB"
    );
    for turns in all {
        let cells = figures.iter().enumerate().map(|(at, &of)| {
            let digits = if at == 0 { 2 } else { 0 };
            let figure = middle(turns, of);
            match ours(turns.arm.halves).filter(|_| turns.arm.side == Side::PyTorch) {
                Some(ours) => {
                    format!(
                        "{:>20}",
                        format!("{figure:.digits$} ({:.2}×)", figure / middle(ours, of))
                    )
                }
                None => format!("{:>20}", format!("{figure:.digits$}")),
            }
        });
        say!("  {:<16} {}", turns.arm.name, cells.collect::<Vec<_>>().join(" "));
    }
    Ok(())
}

fn our_run(job: &Job, arm: &Arm, options: &Options, weights: &Path) -> Result<Cost> {
    let out = paths::runs().join("bench");
    let mut command = build::binary(Profile::Release, job.name);
    command.arg("train").arg("--weights").arg(weights);
    command.arg("--data").arg(options.data.join(job.data));
    command.args(["--freeze", job.freeze, "--epochs", "1", "--validation", "0"]).args(arm.with);
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

fn peer_run(job: &Job, arm: &Arm, options: &Options, weights: &Path) -> Result<Cost> {
    let out = paths::runs().join("bench-peer.json");
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    let mut command = Command::new(&options.python);
    command.arg(paths::root().join("xtask/scripts/peer.py")).args(["--job", job.name]);
    command.arg("--weights").arg(weights).arg("--data").arg(options.data.join(job.data));
    command.args(["--freeze", job.freeze, "--steps", &options.steps.to_string()]).args(arm.with);
    command.args(["--started-at", &now.to_string()]);
    let result = result(command.arg("--out").arg(&out), &out)?;
    let number = |pointer| figure(&result, pointer);
    Ok(Cost {
        first_batch: number("/first_batch_s")?,
        step: number("/step_median_s")?,
        peak_mib: number("/peak_rss_bytes")? / 1024. / 1024.,
    })
}

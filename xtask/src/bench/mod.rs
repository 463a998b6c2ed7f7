//! `cargo xtask bench`: ours against Python at the same job, in one run.
//!
//! | file | compares |
//! |---|---|
//! | `audio.rs` | reading recordings into log-mel frames |
//! | `image.rs` | the preparation of pictures |
//! | `load.rs` | the loading of checkpoints |
//! | `text.rs` | tokenising with transformers |
//! | `train.rs` | our binaries with a PyTorch script |

mod audio;
mod image;
mod load;
mod text;
mod train;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::{process, setup};

/// What `cargo xtask bench` takes.
const USAGE: &str = "usage: cargo xtask bench [--only audio|image|load|text|train] [--data FOLDER] [--python PYTHON] [--rounds N] [--steps N]
  FOLDER, for all but load, holds images/cifar10, photos/clothing, speech/fsdd and text/sst2; what is
  not there is left out.
  PYTHON is one with torch, torchaudio, transformers and safetensors; else python3 is tried";

/// A part of the benchmark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Part {
    Audio,
    Load,
    Text,
    Train,
    Image,
}

struct Options {
    parts: &'static [Part],
    data: PathBuf,
    python: String,
    /// How often each side has its turn; each part has a number of its own.
    rounds: Option<usize>,
    steps: usize,
}

/// Runs the task.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let options = parse(args)?;
    setup::ensure()?;
    for (i, part) in options.parts.iter().enumerate() {
        if i > 0 {
            println!();
        }
        match part {
            Part::Audio => audio::run(&options)?,
            Part::Load => load::run(&options)?,
            Part::Text => text::run(&options)?,
            Part::Train => train::run(&options)?,
            Part::Image => image::run(&options)?,
        }
    }
    Ok(())
}

fn parse(args: &[String]) -> Result<Options> {
    let (mut only, mut data, mut rounds) = (None, None, None);
    let (mut python, mut steps) = ("python3".to_owned(), 40);
    let mut args = args.iter();
    while let Some(option) = args.next() {
        let value = args.next().with_context(|| format!("{option} needs a value\n{USAGE}"))?;
        match option.as_str() {
            "--only" => only = Some(value.as_str()),
            "--data" => data = Some(PathBuf::from(value)),
            "--python" => python = value.clone(),
            "--rounds" => rounds = Some(value.parse::<usize>().context("--rounds")?.max(1)),
            "--steps" => steps = value.parse().context("--steps")?,
            _ => bail!("there is no option {option}\n{USAGE}"),
        }
    }
    let parts: &[Part] = match only {
        None => &[Part::Load, Part::Audio, Part::Image, Part::Text, Part::Train],
        Some("audio") => &[Part::Audio],
        Some("load") => &[Part::Load],
        Some("text") => &[Part::Text],
        Some("train") => &[Part::Train],
        Some("image") => &[Part::Image],
        Some(other) => bail!("there is no benchmark `{other}`\n{USAGE}"),
    };
    if data.is_none() && *parts != [Part::Load] {
        bail!("all but load needs --data\n{USAGE}");
    }
    Ok(Options { parts, data: data.unwrap_or_default(), python, rounds, steps: steps.max(2) })
}

/// The version of the Python's PyTorch, if it has all modules. Else it says that there is no peer.
fn peer(python: &str, modules: &[&str]) -> Option<String> {
    let probe = format!("import torch, {}; print(torch.__version__)", modules.join(", "));
    let version = process::first_line(&[python, "-c", &probe]);
    if version.is_none() {
        println!(
            "no peer: `{python}` cannot import torch and {}; install them or name a Python that \
             has them with --python",
            modules.join(" and ")
        );
    }
    version
}

/// What a command prints, without its chatter.
fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{:?}", command.get_program()))?;
    if !output.status.success() {
        bail!("{:?} failed: {}", command.get_program(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn figure(result: &Value, pointer: &str) -> Result<f64> {
    result.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("no {pointer}"))
}

fn median<T>(costs: &[T], of: impl Fn(&T) -> f64) -> f64 {
    let mut all: Vec<f64> = costs.iter().map(of).collect();
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[3., 1., 2.], |&cost| cost), 2.);
    }

    #[test]
    fn options_are_checked() {
        let parse =
            |line: &str| parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(parse("--data d --steps 9").map(|o| o.steps).ok(), Some(9));
        assert_eq!(parse("--only load").map(|o| o.parts).ok(), Some(&[Part::Load][..]));
        assert!(parse("--steps 9").is_err());
        assert!(parse("--only train").is_err());
        assert!(parse("--only image").is_err());
        assert!(parse("--only lunch --data d").is_err());
        assert!(parse("--data d --speed 9").is_err());
    }
}

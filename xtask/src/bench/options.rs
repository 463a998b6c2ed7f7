//! What the benchmark is asked for.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// What `cargo xtask bench` takes.
const USAGE: &str = "usage: cargo xtask bench [--only audio|image|load|processes|serve|text|train] [--data FOLDER] [--python PYTHON] [--rounds N] [--steps N] [--job image|audio|text] [--precision f32|bf16]
  FOLDER, for all but load, holds images/cifar10, photos/clothing, speech/fsdd and text/sst2; what is
  not there is left out.
  --job is one of train's or serve's; else all are run. --precision is what serve's compute in.
  PYTHON is one with torch, torchaudio, transformers and safetensors; else python3 is tried";

/// A part of the benchmark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    Audio,
    Load,
    Processes,
    Serve,
    Text,
    Train,
    Image,
}

pub(super) struct Options {
    pub(super) parts: &'static [Part],
    pub(super) data: PathBuf,
    pub(super) python: String,
    /// How often each side has its turn; each part has a number of its own.
    pub(super) rounds: Option<usize>,
    pub(super) steps: usize,
    /// The training to run; else all.
    pub(super) job: Option<String>,
    /// What servers compute in.
    pub(super) precision: &'static str,
}

pub(super) fn parse(args: &[String]) -> Result<Options> {
    let (mut only, mut data, mut rounds, mut job) = (None, None, None, None);
    let (mut python, mut steps) = ("python3".to_owned(), 40);
    let mut precision = "f32";
    let mut args = args.iter();
    while let Some(option) = args.next() {
        let value = args.next().with_context(|| format!("{option} needs a value\n{USAGE}"))?;
        match option.as_str() {
            "--only" => only = Some(value.as_str()),
            "--data" => data = Some(PathBuf::from(value)),
            "--python" => python = value.clone(),
            "--rounds" => rounds = Some(value.parse::<usize>().context("--rounds")?.max(1)),
            "--job" if ["image", "audio", "text"].contains(&value.as_str()) => {
                job = Some(value.clone());
            }
            "--job" => bail!("there is no job `{value}`\n{USAGE}"),
            "--precision" => {
                let known = ["f32", "bf16"].into_iter().find(|known| known == value);
                precision = known.with_context(|| format!("no precision `{value}`\n{USAGE}"))?;
            }
            "--steps" => steps = value.parse().context("--steps")?,
            _ => bail!("there is no option {option}\n{USAGE}"),
        }
    }
    let parts: &[Part] = match only {
        None => &[
            Part::Load,
            Part::Audio,
            Part::Image,
            Part::Text,
            Part::Train,
            Part::Processes,
            Part::Serve,
        ],
        Some("audio") => &[Part::Audio],
        Some("load") => &[Part::Load],
        Some("processes") => &[Part::Processes],
        Some("serve") => &[Part::Serve],
        Some("text") => &[Part::Text],
        Some("train") => &[Part::Train],
        Some("image") => &[Part::Image],
        Some(other) => bail!("there is no benchmark `{other}`\n{USAGE}"),
    };
    if data.is_none() && *parts != [Part::Load] {
        bail!("all but load needs --data\n{USAGE}");
    }
    let (data, steps) = (data.unwrap_or_default(), steps.max(2));
    Ok(Options { parts, data, python, rounds, steps, job, precision })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(parse("--data d --job lunch").is_err());
        assert!(parse("--data d --precision f8").is_err());
    }
}

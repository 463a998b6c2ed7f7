//! `cargo xtask matrix`: image, speech and text models, each on image, speech and text tasks, beside
//! their controls.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use crosstune_report::{Matrix, write};

use crate::build::{self, Profile};
use crate::{minilm, paths, process, setup};

/// How the task is called.
const USAGE: &str = "cargo xtask matrix [--data FOLDER] [--task transcribe|tag] [--seeds N] \
                     [--only SOURCE-TARGET] [--out FOLDER] [-- OPTIONS OF compare]";

/// The modalities, in the order of the table.
const MODALITIES: [&str; 3] = ["image", "audio", "text"];

/// What the models are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// A class, of pictures, recordings and sentences.
    Classes,
    /// What is said in recordings.
    Transcripts,
    /// The labels of the words of sentences.
    Tags,
}

impl Asked {
    /// The modalities that there are such data of.
    fn targets(self) -> &'static [&'static str] {
        match self {
            Self::Classes => &MODALITIES,
            Self::Transcripts => &["audio"],
            Self::Tags => &["text"],
        }
    }

    /// The data, beside those of the other questions, with the budget.
    fn words(self, data: &Path) -> Vec<OsString> {
        let (train, test, more): (_, _, &[&str]) = match self {
            Self::Classes => return vec![],
            Self::Transcripts => (
                "speech/speechocean762/train.tsv",
                "speech/speechocean762/test.tsv",
                &["--task", "transcribe", "--per-class", "300:8", "--frames", "512"],
            ),
            Self::Tags => (
                "tagging/wnut17/wnut17train.conll",
                "tagging/wnut17/emerging.dev.conll",
                &["--task", "tag", "--per-class", "500:3"],
            ),
        };
        let place = |option: &str, place| [OsString::from(option), data.join(place).into()];
        let places = [place("--data", train), place("--eval-data", test)].into_iter().flatten();
        places.chain(more.iter().map(OsString::from)).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Options {
    /// What is measured: of classes, of texts, of labels of words.
    asked: Asked,
    /// Real data and weights, laid out as the README says; else the small ones that ship.
    data: Option<PathBuf>,
    seeds: usize,
    /// `image-audio`; empty: all nine.
    only: Vec<String>,
    out: PathBuf,
    /// Handed on to `compare`.
    more: Vec<String>,
}

/// Runs the task. A direction that was measured before is not measured again: delete its folder to
/// have it so.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let options = parse(args)?;
    setup::ensure()?;
    build::binaries(Profile::Release)?;
    let begun = Instant::now();
    for source in MODALITIES {
        for target in options.asked.targets() {
            let name = format!("{source}-{target}");
            let chosen = options.only.is_empty() || options.only.contains(&name);
            if chosen && !report_of(&options, &name).is_file() {
                note!("\n── {source} → {target}");
                compare(&options, source, target)?;
            }
        }
    }
    let files: Vec<PathBuf> = MODALITIES
        .iter()
        .flat_map(|source| options.asked.targets().iter().map(move |to| format!("{source}-{to}")))
        .map(|name| report_of(&options, &name))
        .filter(|file| file.is_file())
        .collect();
    let matrix = Matrix::read(&files)?;
    let written = write(&matrix, &options.out)?;
    note!("\n{:.0} s in all", begun.elapsed().as_secs_f64());
    say!("{}", written.html.display());
    Ok(())
}

/// Where a direction's measurements lie.
fn report_of(options: &Options, name: &str) -> PathBuf {
    options.out.join(name).join("report.json")
}

/// One direction, by the binary, as a person would.
fn compare(options: &Options, source: &str, target: &str) -> Result<()> {
    let mut binary = build::binary(Profile::Release, target);
    binary.arg("compare").arg("--weights").arg(weights(options.data.as_deref(), source)?);
    let usual = match (options.asked, options.data.as_deref()) {
        (Asked::Classes, data) => task(data, source, target),
        (asked, data) => asked.words(data.unwrap_or(Path::new(""))),
    };
    binary.args(without(usual, &options.more)).args(&options.more);
    binary.args(["--seeds", &options.seeds.to_string()]);
    binary.arg("--out").arg(options.out.join(format!("{source}-{target}")));
    process::wait_briefly(&mut binary);
    process::run(&mut binary)
}

/// The source of a modality.
fn weights(data: Option<&Path>, modality: &str) -> Result<PathBuf> {
    Ok(match (data, modality) {
        (None, _) => paths::root().join("crates/core/pretrained").join(modality),
        (Some(data), "image") => data.join("weights/resnet56-4bfd9763.th"),
        (Some(data), "audio") => data.join("weights/honk-res8.pt"),
        (Some(_), _) => minilm::fetch()?,
    })
}

/// Options, each with its value, without those that are given otherwise.
fn without(options: Vec<OsString>, given: &[String]) -> Vec<OsString> {
    let is_given = |option: &OsString| given.iter().any(|given| option.to_str() == Some(given));
    let pairs = options.chunks(2).filter(|pair| !is_given(&pair[0]));
    pairs.flatten().cloned().collect()
}

/// The task of a modality, with its budget.
fn task(data: Option<&Path>, source: &str, modality: &str) -> Vec<OsString> {
    let samples = || paths::root().join("crates").join(modality).join("samples/digits");
    let (place, more): (PathBuf, &[&str]) = match (data, modality) {
        (None, "audio") => {
            (samples(), &["--label-pattern", r"^(?<label>\d)_", "--per-class", "5:12,all:8"])
        }
        (None, "image") => (samples(), &["--per-class", "5:16,all:12"]),
        (None, _) => (samples(), &["--per-class", "5:12,all:4"]),
        (Some(data), "audio") => (
            data.join("speech/fsdd"),
            &[
                "--label-pattern",
                r"^(?<label>\d)_",
                "--test-pattern",
                r"_[0-4]\.wav$",
                "--per-class",
                "10:15",
            ],
        ),
        (Some(data), "image") => (data.join("images/cifar10"), &["--per-class", "20:8"]),
        (Some(data), _) => (
            data.join("text/sst2/train.tsv"),
            if source == "text" { &["--per-class", "200:4"] } else { &["--per-class", "100:4"] },
        ),
    };
    let mut words = vec!["--data".into(), place.into_os_string()];
    if let (Some(data), "text") = (data, modality) {
        words.extend(["--eval-data".into(), data.join("text/sst2/dev.tsv").into_os_string()]);
    }
    words.extend(more.iter().map(OsString::from));
    // So that two cores are done in hours: a transformer has a quarter and a half of the places that
    // convolutions have, and those see the beginning of a sentence.
    let places: &[&str] = match (data, source, modality) {
        (Some(_), "text", "image") => &["--patch", "8"],
        (Some(_), "text", "audio") => &["--hop-ms", "20", "--frames", "32"],
        (Some(_), "image" | "audio", "text") => &["--max-length", "128"],
        (Some(_), _, "audio") => &["--frames", "64"],
        _ => &[],
    };
    words.extend(places.iter().map(OsString::from));
    words
}

fn parse(args: &[String]) -> Result<Options> {
    let out = paths::runs().join("matrix");
    let asked = Asked::Classes;
    let mut options = Options { asked, data: None, seeds: 3, only: vec![], out, more: vec![] };
    let mut place = None;
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        if arg == "--" {
            options.more = args.by_ref().cloned().collect();
            break;
        }
        let value = args.next().with_context(|| format!("{arg} needs a value: {USAGE}"))?;
        match arg.as_str() {
            "--data" => options.data = Some(value.into()),
            "--seeds" => options.seeds = value.parse().context("--seeds")?,
            "--out" => place = Some(PathBuf::from(value)),
            "--task" => {
                options.asked = match value.as_str() {
                    "transcribe" => Asked::Transcripts,
                    "tag" => Asked::Tags,
                    _ => bail!("--task {value}: expected transcribe or tag"),
                };
                // Beside the classes, which are not measured again.
                options.out = paths::runs().join(format!("matrix-{value}"));
            }
            "--only" => {
                let known = value.split_once('-').is_some_and(|(source, target)| {
                    MODALITIES.contains(&source) && MODALITIES.contains(&target)
                });
                if !known {
                    bail!("--only {value}: expected a direction such as image-audio");
                }
                options.only.push(value.clone());
            }
            _ => bail!("there is no option `{arg}`: {USAGE}"),
        }
    }
    if options.asked != Asked::Classes && options.data.is_none() {
        bail!("--task needs --data, with real texts: {USAGE}");
    }
    options.out = place.unwrap_or(options.out);
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let parse =
            |line: &str| parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let options = parse("--only image-audio --seeds 5 --data d -- --epochs 2").ok();
        let options = options.map(|o| (o.only, o.seeds, o.data, o.more));
        let more = vec!["--epochs".to_owned(), "2".to_owned()];
        assert_eq!(options, Some((vec!["image-audio".into()], 5, Some("d".into()), more)));
        let words = |words: &str| words.split(' ').map(OsString::from).collect::<Vec<_>>();
        let given = ["--per-class".to_owned(), "5:1".to_owned()];
        assert_eq!(
            without(words("--data d --per-class 2:1 --patch 8"), &given),
            words("--data d --patch 8")
        );
        let tagging = parse("--task tag --data d").ok();
        let words = tagging.map(|o| (o.asked.targets(), o.asked.words(Path::new("d"))));
        let (targets, words) = words.unwrap_or_default();
        assert_eq!(targets, ["text"]);
        assert!(words.contains(&"d/tagging/wnut17/wnut17train.conll".into()), "{words:?}");
        for wrong in [
            "--task tag",
            "--task sing --data d",
            "--only image",
            "--only image-smell",
            "--seeds x",
            "--data",
            "--fast 1",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}

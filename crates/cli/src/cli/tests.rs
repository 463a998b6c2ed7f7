//! How command lines are parsed, and what their help shows.

use clap::{Args, CommandFactory};
use crosstune_core::{
    Batch, BoxError, Embedder, Error, FeatureShape, Input, Modality, Origin, Pretrained, Result,
    VarBuilder,
};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::*;

/// A modality without options, of which nothing is ever read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Nothing;

#[derive(Debug, Clone, Args)]
struct NoArgs;

impl ModalityArgs for NoArgs {
    type Modality = Nothing;
}

impl TryFrom<NoArgs> for Nothing {
    type Error = Error;

    fn try_from(_: NoArgs) -> Result<Self> {
        Ok(Self)
    }
}

impl Modality for Nothing {
    const NAME: &'static str = "nothing";
    const SAMPLES: &'static str = "samples";
    const EXTENSIONS: &'static [&'static str] = &[];

    fn adopt(&mut self, _: &Pretrained) -> Result<Origin> {
        Ok(Origin::Fresh)
    }

    fn read(&self, _: &Input) -> Result<Tensor, BoxError> {
        Err("nothing is read".into())
    }

    fn batch(&self, samples: &[&Tensor]) -> Batch {
        Batch { x: Tensor::stack(samples, 0), attention_mask: None }
    }

    fn example(&self) -> Batch {
        self.batch(&[])
    }

    fn embedder(&self, _: VarBuilder<'_>, _: FeatureShape) -> Result<Box<dyn Embedder>> {
        Err(Error::Modality { context: "embedder".into(), source: "there is none".into() })
    }
}

const TRAIN: &str = "train --weights w --data d --out o";
const COMPARE: &str = "compare --weights w --data d --out o";
const RANK: &str = "rank --weights w --data d";

/// A command line as it is parsed.
fn parsed(line: &str) -> String {
    let words = ["crosstune"].into_iter().chain(line.split_whitespace());
    match Cli::<NoArgs>::try_parse_from(words) {
        Ok(cli) => format!("{cli:?}"),
        Err(e) => panic!("{line}: {e}"),
    }
}

/// The long help texts of all commands.
fn help() -> Vec<(String, String)> {
    let mut command = Cli::<NoArgs>::command();
    command.build();
    let text = |c: &mut clap::Command| (c.get_name().to_owned(), c.render_long_help().to_string());
    command.get_subcommands_mut().filter(|c| c.get_name() != "help").map(text).collect()
}

#[test]
fn older_spellings_mean_the_same_and_are_not_shown() {
    for (command, old, new) in [
        (TRAIN, "--settle 0.5", "--auto-freeze 0.5"),
        (TRAIN, "--no-match", "--no-stat-match"),
        (RANK, "--no-match", "--no-stat-match"),
        (TRAIN, "--statistics with-norms", "--batch-norm follow-freeze"),
        (TRAIN, "--statistics still", "--batch-norm frozen"),
        (COMPARE, "--statistics moving", "--batch-norm updating"),
        (TRAIN, "--hold-to plan.toml", "--require-plan plan.toml"),
        (TRAIN, "--head new", "--head fresh"),
        (COMPARE, "--head kept", "--head pretrained"),
        (TRAIN, "--recompute", "--no-feature-cache"),
        (TRAIN, "--balance nothing", "--balance none"),
        (TRAIN, "--gradient-accumulation 4", "--accumulate 4"),
    ] {
        let (old, new) = (format!("{command} {old}"), format!("{command} {new}"));
        assert_eq!(parsed(&old), parsed(&new), "{old}");
    }
    for (name, text) in help() {
        for word in [
            "--settle",
            "--no-match",
            "--statistics",
            "with-norms:",
            "still:",
            "moving:",
            "--hold-to",
            "new:",
            "kept:",
            "--recompute\n",
            "nothing:",
            "--gradient-accumulation",
        ] {
            assert!(!text.contains(word), "{name} --help has {word}");
        }
    }
}

#[test]
fn options_are_under_their_headings() {
    for (name, text) in help() {
        assert_eq!(text.matches("Options:").count(), 1, "{name} --help:\n{text}");
    }
    let command = Cli::<NoArgs>::command();
    for (name, option, heading) in [
        ("train", "weights", None),
        ("train", "data", None),
        ("train", "out", None),
        ("train", "memory", None),
        ("train", "freeze", Some("Transfer")),
        ("train", "task", Some("Data layout")),
        ("train", "device", Some("Training")),
        ("compare", "family", None),
        ("compare", "seeds", None),
        ("check", "sheet", None),
        ("rank", "device", None),
        ("embed", "out", None),
        ("embed", "batch_size", None),
        ("embed", "device", None),
        ("embed", "label_column", Some("Data layout")),
        ("evaluate", "device", None),
    ] {
        let command = command.find_subcommand(name).unwrap();
        let found = command.get_arguments().find(|arg| arg.get_id() == option).unwrap();
        assert_eq!(found.get_help_heading(), heading, "{name} --{option}");
    }
}

//! `cargo xtask pretrain`: small source models of pictures, speech and text, each in some minutes on
//! two cores, with held-out validation.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::build::{self, Profile};
use crate::{paths, process, setup};

/// What `cargo xtask pretrain` takes.
const USAGE: &str = "usage: cargo xtask pretrain --data FOLDER [--only image|audio|text] [--ship]
  FOLDER holds images/cifar10, photos/clothing, speech/fsdd and text/sst2, as far as they are used
  --ship: train the models that ship with the project again, in crates/core/pretrained; else they are
  trained on more data, whose terms are for research alone, and are in runs/pretrained
  A model that is in runs/pretrained or runs/shipped is not trained again: delete its folder to have it
  so; one whose training was stopped goes on";

/// One source model.
struct Source {
    modality: &'static str,
    /// How its network is built, a file in `xtask/designs`.
    design: &'static str,
    /// Below --data.
    data: &'static str,
    options: &'static [&'static str],
    shipped: Shipped,
}

/// What the one that ships is trained on: its terms allow that.
struct Shipped {
    data: Place,
    options: &'static [&'static str],
    /// Under which terms the weights are, and why.
    terms: &'static str,
}

/// Where data lies.
enum Place {
    /// Below --data.
    Data(&'static str),
    /// Below the root of the workspace.
    Here(&'static str),
}

const PICTURES: [&str; 4] = ["--size", "32", "--augment", "standard"];
const SPEECH: [&str; 14] = [
    "--label-pattern",
    r"^(?<label>\d)_",
    "--test-pattern",
    r"_[0-4]\.wav$",
    "--batch-size",
    "64",
    "--lr",
    "2e-3",
    "--shift",
    "40",
    "--noise",
    "20",
    "--gain",
    "6",
];
const SYMBOLS: [&str; 6] = ["--units", "bytes", "--lr", "1e-3", "--patience", "100"];

const SOURCES: [Source; 3] = [
    Source {
        modality: "image",
        design: "image.json",
        data: "images/cifar10",
        options: &["--crop-scale", "0.5", "--epochs", "30", "--patience", "30"],
        shipped: Shipped {
            data: Place::Data("photos/clothing"),
            options: &["--crop-scale", "0.4", "--epochs", "100", "--patience", "100"],
            terms: "Trained on photographs of clothes, of ten classes, by Alexey Grigorev and others \
                    (alexeygrigorev/clothing-dataset-small), which are under CC0 1.0. These weights \
                    are under the project's own licence, MIT or Apache-2.0.",
        },
    },
    Source {
        modality: "audio",
        design: "audio.json",
        data: "speech/fsdd",
        options: &["--epochs", "30", "--patience", "30"],
        shipped: Shipped {
            data: Place::Data("speech/fsdd"),
            options: &["--epochs", "15", "--patience", "30"],
            terms: "Trained on the training recordings of the Free Spoken Digit Dataset by Zohar \
                    Jackson and others (Jakobovski/free-spoken-digit-dataset), which are under CC \
                    BY-SA 4.0, <https://creativecommons.org/licenses/by-sa/4.0/>. The files in this \
                    folder, as far as they are adapted from the recordings, are under CC BY-SA 4.0, \
                    too, and not under the licence of the rest of the project.",
        },
    },
    Source {
        modality: "text",
        design: "text.json",
        data: "text/sst2",
        options: &["--max-length", "256", "--epochs", "10", "--dropout", "0.1"],
        shipped: Shipped {
            data: Place::Here("crates/text/samples/digits"),
            options: &["--max-length", "128", "--epochs", "40"],
            terms: "Trained on the sentences that ship with the project \
                    (crates/text/samples/digits), which were written for it: it is small, and knows \
                    little but number words; on those sentences it is no source to measure a transfer \
                    by. These weights are under the project's own licence, MIT or Apache-2.0.",
        },
    },
];

/// What of a run folder makes a source.
const FILES: [&str; 4] = ["spec.json", "labels.json", "preprocessing.json", "model.safetensors"];

struct Options {
    data: PathBuf,
    only: Option<String>,
    ship: bool,
}

/// Runs the task.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let options = parse(args)?;
    setup::ensure()?;
    build::binaries(Profile::Release)?;
    for source in SOURCES.iter().filter(|s| options.only.as_deref().is_none_or(|o| o == s.modality))
    {
        let folder = if options.ship { "shipped" } else { "pretrained" };
        let trained = paths::runs().join(folder).join(source.modality);
        let result = train(source, &options, &trained)?;
        let (what, accuracy) = (source.modality, accuracy(&result)?);
        say!("{what}: {:.1} % of the test set right; {}", 100. * accuracy, trained.display());
        if options.ship {
            ship(source, &trained, &result)?;
        }
    }
    Ok(())
}

fn parse(args: &[String]) -> Result<Options> {
    let (mut data, mut only, mut ship) = (None, None, false);
    let mut args = args.iter();
    while let Some(option) = args.next() {
        let mut value = || args.next().with_context(|| format!("{option} needs a value\n{USAGE}"));
        match option.as_str() {
            "--data" => data = Some(PathBuf::from(value()?)),
            "--only" => only = Some(value()?.clone()),
            "--ship" => ship = true,
            _ => bail!("there is no option {option}\n{USAGE}"),
        }
    }
    let known = |name: &String| SOURCES.iter().any(|source| source.modality == name);
    if let Some(name) = only.as_ref().filter(|name| !known(name)) {
        bail!("--only: there is no model {name}\n{USAGE}");
    }
    Ok(Options { data: data.with_context(|| format!("--data is missing\n{USAGE}"))?, only, ship })
}

/// Trains with the binary, as a person would, unless that is done, and reads the `result.json`.
fn train(source: &Source, options: &Options, out: &Path) -> Result<Value> {
    let data = match (options.ship, &source.shipped.data) {
        (true, Place::Here(place)) => paths::root().join(place),
        (true, Place::Data(place)) => options.data.join(place),
        (false, _) => options.data.join(source.data),
    };
    let design = paths::root().join("xtask/designs").join(source.design);
    let mut binary = build::binary(Profile::Release, source.modality);
    binary.args(["train", "--recipe", "scratch", "--weights"]).arg(design);
    binary.arg("--data").arg(data).args(match source.modality {
        "image" => &PICTURES[..],
        "audio" => &SPEECH[..],
        _ => &SYMBOLS[..],
    });
    binary.args(if options.ship { source.shipped.options } else { source.options });
    // One that was stopped goes on, if it was begun with the same options.
    binary.arg(if is_unfinished(out) { "--resume" } else { "--out" }).arg(out);
    let path = out.join("result.json");
    if !path.is_file() {
        process::wait_briefly(&mut binary);
        process::run(&mut binary)?;
    }
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

/// Whether a training whose run folder is `out` was begun and is not done.
fn is_unfinished(out: &Path) -> bool {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!(".{name}.partial")).join("training.json").is_file()
}

/// The accuracy on the test split.
fn accuracy(result: &Value) -> Result<f64> {
    let accuracy = result.pointer("/test/accuracy").and_then(Value::as_f64);
    accuracy.context("the run has no test accuracy: is there a test split in the data?")
}

/// Puts the files of a source into its place in the project, with what is to be said of it.
fn ship(source: &Source, trained: &Path, result: &Value) -> Result<()> {
    let place = paths::root().join("crates/core/pretrained").join(source.modality);
    fs::create_dir_all(&place).with_context(|| place.display().to_string())?;
    for file in FILES {
        let to = place.join(file);
        fs::copy(trained.join(file), &to).with_context(|| to.display().to_string())?;
    }
    let path = place.join("README.md");
    fs::write(&path, readme(source, result)?).with_context(|| path.display().to_string())?;
    say!("{}: shipped", place.display());
    Ok(())
}

/// What stands beside a shipped model.
fn readme(source: &Source, result: &Value) -> Result<String> {
    let count = |pointer: &str| {
        result.pointer(pointer).and_then(Value::as_u64).with_context(|| format!("no {pointer}"))
    };
    Ok(format!(
        "# A small {} model\n\n{} parameters, trained from the start on {} samples in {} epochs; of \
         {} test samples it gets {:.1} % right. A run folder: `--weights` takes it as a source. Made \
         by `cargo xtask pretrain --data FOLDER --only {} --ship`.\n\n{}\n",
        source.modality,
        count("/parameters/trained")?,
        count("/samples/train")?,
        result.pointer("/history/epochs").and_then(Value::as_array).map_or(0, Vec::len),
        count("/samples/test")?,
        100. * accuracy(result)?,
        source.modality,
        source.shipped.terms,
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(words: &[&str]) -> Result<Options> {
        parse(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_and_refused() {
        let options = parsed(&["--data", "d", "--only", "text", "--ship"]).unwrap();
        assert_eq!((options.only.as_deref(), options.ship), (Some("text"), true));
        for wrong in [&["--ship"][..], &["--data"], &["--data", "d", "--only", "x"], &["-x"]] {
            let error = parsed(wrong).err().expect("it is refused").to_string();
            assert!(error.contains("usage: "), "{error}");
        }
    }

    #[test]
    fn a_shipped_model_says_its_terms() {
        let result = json!({
            "parameters": {"trained": 12}, "samples": {"train": 3, "test": 4},
            "history": {"epochs": [1, 2]}, "test": {"accuracy": 0.5},
        });
        let text = readme(&SOURCES[1], &result).unwrap();
        assert!(text.contains("12 parameters") && text.contains("in 2 epochs"), "{text}");
        assert!(text.contains("50.0 % right") && text.contains("CC BY-SA 4.0"), "{text}");
        assert!(readme(&SOURCES[1], &json!({})).is_err());
    }

    #[test]
    fn every_model_that_ships_is_whole_and_small() {
        for source in &SOURCES {
            let place = paths::root().join("crates/core/pretrained").join(source.modality);
            for file in FILES.iter().chain(&["README.md"]) {
                let size = fs::metadata(place.join(file)).map(|meta| meta.len());
                let size = size.unwrap_or_else(|e| panic!("{}: {e}", place.join(file).display()));
                assert!((1..3_000_000).contains(&size), "{file}: {size}");
            }
        }
    }
}

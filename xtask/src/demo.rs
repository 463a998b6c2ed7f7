//! `cargo xtask demo`: a text model learns spoken digits, handwritten digits and number words,
//! beside the same network from scratch and the same freezing on a random trunk.

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::build::{self, Profile};
use crate::{minilm, paths, process, setup};

/// One of the three transfers, on the samples that ship with a modality's crate.
struct Task {
    modality: &'static str,
    title: &'static str,
    /// Where the labels stand, and the budget.
    options: &'static [&'static str],
}

const TASKS: [Task; 3] = [
    Task {
        modality: "audio",
        title: "spoken digits",
        options: &["--label-pattern", r"^(?<label>\d)_", "--epochs", "6"],
    },
    Task { modality: "image", title: "handwritten digits", options: &["--epochs", "10"] },
    Task { modality: "text", title: "number words", options: &["--epochs", "4"] },
];

/// What is frozen in the transfers and in their random-frozen controls.
const FREEZE: &str = "trunk-but-norms";

/// The transfer and its two controls.
const ARMS: [&str; 3] = ["transfer", "scratch", "random-frozen"];

/// Runs the task.
pub(crate) fn run() -> Result<()> {
    setup::ensure()?;
    let weights = minilm::fetch()?;
    build::binaries(Profile::Dev)?;
    let begun = Instant::now();
    let mut rows = vec![];
    for task in &TASKS {
        let mut results = vec![];
        for arm in ARMS {
            note!("\n── {} · {arm}", task.title);
            results.push(train(task, arm, &weights)?);
        }
        rows.push(row(task, &results)?);
    }
    say!(
        "\nA text model (all-MiniLM-L6-v2) on ten digits in three modalities: accuracy on the test split\n"
    );
    say_on!("{}", table(&rows));
    say!(
        "\nscratch: the same network with random weights, all of it trained\n\
         random frozen: the same freezing as the transfer, on a random trunk\n\
         All arms of a row have the same budget of epochs. {:.0} s in all; the runs are in {}",
        begun.elapsed().as_secs_f64(),
        paths::runs().display(),
    );
    Ok(())
}

/// Trains one arm with the binary, as a person would, and reads its `result.json`.
fn train(task: &Task, arm: &str, weights: &Path) -> Result<Value> {
    let out = paths::runs().join(format!("{}-{arm}", task.modality));
    let freeze = if arm == "scratch" { "nothing" } else { FREEZE };
    let init = if arm == "transfer" { "pretrained" } else { "random" };
    let samples = paths::root().join("crates").join(task.modality).join("samples/digits");
    let mut binary = build::binary(Profile::Dev, task.modality);
    binary.arg("train").arg("--weights").arg(weights).arg("--data").arg(samples);
    binary.args(["--freeze", freeze, "--init", init, "--validation", "0"]).args(task.options);
    binary.arg("--out").arg(&out).arg("--overwrite");
    process::wait_briefly(&mut binary);
    process::run(&mut binary)?;
    let path = out.join("result.json");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

/// A line of the table.
fn row(task: &Task, results: &[Value]) -> Result<[String; 9]> {
    let number = |result: &Value, pointer: &str| {
        result.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("no {pointer}"))
    };
    let accuracy: Vec<f64> =
        results.iter().map(|r| number(r, "/test/accuracy")).collect::<Result<_>>()?;
    let percent = |accuracy: f64| format!("{:.1} %", 100. * accuracy);
    let gain = |control: f64| format!("{:+.1}", 100. * (accuracy[0] - control));
    let epochs = results[0]["history"]["epochs"].as_array().map_or(0, Vec::len);
    let million = |n: f64| format!("{:.2} M", n / 1e6);
    Ok([
        format!("text → {} ({})", task.modality, task.title),
        percent(accuracy[0]),
        percent(accuracy[1]),
        percent(accuracy[2]),
        gain(accuracy[1]),
        gain(accuracy[2]),
        epochs.to_string(),
        format!("{:.0}", number(&results[0], "/history/seconds")?),
        format!(
            "{} / {}",
            million(number(&results[0], "/parameters/trained")?),
            million(number(&results[0], "/parameters/frozen")?)
        ),
    ])
}

/// Lays the rows out under their heads, the first column to the left, the others to the right.
fn table(rows: &[[String; 9]]) -> String {
    let heads = [
        "",
        "transfer",
        "scratch",
        "random frozen",
        "gain over scratch",
        "over random",
        "epochs",
        "seconds",
        "trained / frozen",
    ]
    .map(String::from);
    let lines: Vec<&[String; 9]> = std::iter::once(&heads).chain(rows).collect();
    let width = |column: usize| lines.iter().map(|l| l[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..9).map(width).collect();
    let mut text = String::new();
    for line in lines {
        text += &format!("{:<1$}", line[0], widths[0]);
        for (cell, width) in line.iter().zip(&widths).skip(1) {
            text += &format!("  {cell:>width$}");
        }
        text.push('\n');
    }
    text
}

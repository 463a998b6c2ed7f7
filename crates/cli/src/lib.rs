//! The command line that `crosstune-image`, `crosstune-audio` and `crosstune-text` share.
//!
//! A binary is one line, [`run`] with its modality's options:
//!
//! ```text
//! fn main() -> ExitCode { crosstune_cli::run::<ImageArgs>() }
//! ```
#![deny(missing_docs)]

mod args;
mod cli;
mod commands;
mod output;
mod process;
mod setup;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use crosstune_core::{Error, Modality, error::one_line};

pub use args::ModalityArgs;
use cli::{Cli, Command};
use commands::{check, compare, embed, evaluate, export, inspect, predict, rank, train};

/// Parses the command line, runs the command, and returns the exit code: 0, 1 for a failure, 2 for
/// wrong use. Errors are one line on stderr.
pub fn run<A: ModalityArgs>() -> ExitCode {
    process::keep_memory();
    process::name_vanished_files();
    // The three binaries differ in name and in what their inputs are called.
    let name = format!("crosstune-{}", A::Modality::NAME);
    let about = format!("Fine-tune a pretrained model on {}", A::Modality::SAMPLES);
    let command = Cli::<A>::command().name(name).about(about);
    let cli = match command.try_get_matches().and_then(|m| Cli::<A>::from_arg_matches(&m)) {
        Ok(cli) => cli,
        // clap prints help and version to stdout, wrong use to stderr, and knows their codes.
        Err(e) => e.exit(),
    };
    match process::contained(|| command_line(cli)) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("error: {}", describe(&e));
            let misuse = e.downcast_ref::<Error>().is_some_and(Error::is_usage_error);
            ExitCode::from(if misuse { 2 } else { 1 })
        }
    }
}

fn command_line<A: ModalityArgs>(cli: Cli<A>) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Train(args) => train::train(*args)?,
        Command::Check(args) => {
            if check::check(*args)? == check::Verdict::Wrong {
                // The report has said what.
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Compare(args) => compare::compare(*args)?,
        Command::Rank(args) => rank::rank(*args)?,
        Command::Embed(args) => embed::embed(*args)?,
        Command::Evaluate(args) => evaluate::evaluate::<A::Modality>(&args)?,
        Command::Predict(args) => predict::predict::<A::Modality>(&args)?,
        Command::Inspect(args) => inspect::inspect(&args)?,
        Command::Export(args) => export::export::<A::Modality>(&args)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// One line, except for lists of what is broken.
fn describe(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Error>() {
        Some(e @ (Error::BadSamples(_) | Error::Data { .. })) => e.to_string(),
        _ => one_line(error.as_ref()),
    }
}

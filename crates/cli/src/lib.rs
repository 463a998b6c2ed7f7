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

use std::env;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};
use crosstune_core::{
    Error, Modality,
    error::{one_line, printable},
};

pub use args::ModalityArgs;
use cli::{Cli, Command};
use commands::{
    check, compare, completions, embed, evaluate, explain, export, inspect, man, plot, predict,
    rank, serve, train,
};
use output::{is_reader_gone, note, printed, say_error, speak_for_machines};
use setup::launch;

/// Parses the command line, runs the command, and returns the exit code: 0, 1 for a failure, 2 for
/// wrong use. Errors are one line on stderr. An answer that cannot be written to stdout is a failure,
/// without a line if its reader has gone; what is lost on stderr is none.
pub fn run<A: ModalityArgs>() -> ExitCode {
    process::first_folder();
    process::keep_few_kernels(A::Modality::NAME);
    process::name_vanished_files();
    let given = match command::<A>().try_get_matches() {
        Ok(given) => given,
        Err(e) => return answered_by_clap::<A>(&e),
    };
    let resume = match process::contained(|| train::Resume::asked::<A>(&given, command::<A>)) {
        Ok(Some(train::Resume::Finished)) => return ExitCode::SUCCESS,
        Ok(Some(train::Resume::Training(unended))) => Some(unended),
        Ok(None) => None,
        Err(e) => return failed(&e),
    };
    let options = resume.as_ref().map_or(&given, |unended| &unended.options);
    let mut cli = match Cli::<A>::from_arg_matches(options) {
        Ok(cli) => cli,
        Err(e) => return answered_by_clap::<A>(&e),
    };
    if let (Some(unended), Command::Train(args), Some(given)) =
        (resume, &mut cli.command, given.subcommand_matches("train"))
    {
        unended.apply(given, args);
    }
    match process::contained(|| command_line(cli)) {
        Ok(code) => code,
        Err(e) => failed(&e),
    }
}

/// All commands and options of a binary, as clap knows them.
pub fn command<A: ModalityArgs>() -> clap::Command {
    // The three binaries differ in name and in what their inputs are called.
    let name = format!("crosstune-{}", A::Modality::NAME);
    let about = format!("Fine-tune a pretrained model on {}", A::Modality::SAMPLES);
    train::relaxed(Cli::<A>::command().name(name).about(about))
}

/// Prints help and version to stdout, wrong use to stderr. clap repeats words as they are, and a shell
/// puts names of files among them: where one is not printable, it hears the words as they can be
/// shown.
fn answered_by_clap<A: ModalityArgs>(answer: &clap::Error) -> ExitCode {
    let words: Vec<_> = env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let shown: Vec<_> = words.iter().map(|word| printable(word).into_owned()).collect();
    if words == shown {
        return said_by_clap(answer);
    }
    let heard = command::<A>().try_get_matches_from(shown);
    match heard.and_then(|m| Cli::<A>::from_arg_matches(&m)) {
        Err(e) => said_by_clap(&e),
        Ok(_) => {
            let said = answer.render().to_string();
            note(&printable(said.lines().next().unwrap_or_default()));
            ExitCode::from(2)
        }
    }
}

fn said_by_clap(answer: &clap::Error) -> ExitCode {
    let written = answer.print();
    match printed(written) {
        Err(e) if !answer.use_stderr() => failed(&e.into()),
        _ => ExitCode::from(answer.exit_code() as u8),
    }
}

/// Says what went wrong.
fn failed(error: &anyhow::Error) -> ExitCode {
    let known = error.downcast_ref::<Error>();
    let is_told = known.is_some_and(|known| is_reader_gone(known) || launch::is_told(known));
    if !is_told {
        say_error(&describe(error));
    }
    ExitCode::from(match known {
        Some(Error::PeerLost { .. }) => launch::LOST_OTHERS,
        Some(known) if known.is_usage_error() => 2,
        _ => 1,
    })
}

fn command_line<A: ModalityArgs>(cli: Cli<A>) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Train(args) => {
            speak_for_machines(args.watch.log_format == train::LogFormat::Json);
            let launched = launch::launch(args.distributed.processes)?;
            return launched.map_or_else(|| train::train(*args), Ok);
        }
        Command::Check(args) => {
            if check::check(*args)? == check::Verdict::Wrong {
                // The report has said what.
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Compare(args) => return compare::compare(*args),
        Command::Rank(args) => rank::rank(*args)?,
        Command::Embed(args) => embed::embed(*args)?,
        Command::Evaluate(args) => evaluate::evaluate::<A::Modality>(&args)?,
        Command::Predict(args) => predict::predict::<A::Modality>(&args)?,
        Command::Serve(args) => return serve::serve::<A::Modality>(*args),
        Command::Explain(args) => explain::explain::<A::Modality>(&args)?,
        Command::Inspect(args) => inspect::inspect(&args)?,
        Command::Export(args) => export::export::<A::Modality>(&args)?,
        Command::Plot(args) => plot::plot(&args)?,
        Command::Completions(args) => completions::completions(&args, &mut command::<A>())?,
        Command::Man(args) => man::man(&args, command::<A>())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// One line, except for lists of what is broken.
fn describe(error: &anyhow::Error) -> String {
    match error.downcast_ref::<Error>() {
        Some(e @ (Error::BadSamples(_) | Error::DataList { .. })) => e.to_string(),
        _ => one_line(error.as_ref()),
    }
}

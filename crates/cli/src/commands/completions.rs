//! `completions`: what a shell needs to complete commands and options.

use anyhow::Result;
use clap::{Args, Command};
use clap_complete::Shell;

use crate::output::print;

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell that is to complete
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// Prints a script for the shell. `command`: all commands of the binary.
///
/// # Errors
/// If stdout cannot be written.
pub(crate) fn completions(args: &CompletionsArgs, command: &mut Command) -> Result<()> {
    let name = command.get_name().to_owned();
    let mut script = vec![];
    clap_complete::generate(args.shell, command, name, &mut script);
    Ok(print(&String::from_utf8_lossy(&script))?)
}

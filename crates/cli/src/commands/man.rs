//! `man`: manual pages, one a command.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Command};

use crate::output::say;

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Folder to write the pages into; it is made if it is not there, and pages of the same names are
    /// replaced
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// Writes the pages. `command`: all commands of the binary.
///
/// # Errors
/// If a page cannot be written.
pub(crate) fn man(args: &ManArgs, command: Command) -> Result<()> {
    let folder = args.out.display();
    fs::create_dir_all(&args.out).with_context(|| format!("{folder}: cannot be made"))?;
    clap_mangen::generate_to(command, &args.out)
        .with_context(|| format!("{folder}: cannot write the pages"))?;
    say("saved", folder);
    Ok(())
}

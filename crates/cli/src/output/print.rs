//! Printing: answers on stdout, everything else on stderr.

use std::{
    fmt::Display,
    io::{self, Write},
    path::Path,
};

use crosstune_core::{Error, Result};

use super::format::line;
use crate::process;

/// How stdout is called in errors.
const STDOUT: &str = "stdout";

/// A line of progress: a name in a column of its own, then the text.
pub(crate) fn say(name: &str, text: impl Display) {
    note(&line(name, text));
}

/// A line on stderr. It may vanish: no training ends because nobody listens.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// An answer.
///
/// # Errors
/// If it cannot be written, wholly.
pub(crate) fn print(text: &str) -> Result<()> {
    printed(io::stdout().write_all(text.as_bytes()))
}

/// An answer for programs.
///
/// # Errors
/// As [`print`].
pub(crate) fn print_json(value: &serde_json::Value) -> Result<()> {
    print(&format!("{value:#}\n"))
}

/// What became of an answer that was written to stdout.
///
/// # Errors
/// If it did not arrive.
pub(crate) fn printed(written: io::Result<()>) -> Result<()> {
    let arrived = match process::began_without_stdout() {
        true => Err(io::Error::other("it is closed")),
        false => written.and_then(|()| io::stdout().flush()),
    };
    arrived.map_err(Error::io(STDOUT, "write"))
}

/// Whether an error says that the reader of stdout has gone, as `head` does: nobody need be told.
pub(crate) fn is_reader_gone(error: &Error) -> bool {
    matches!(error, Error::Io { path, source, .. }
        if path == Path::new(STDOUT) && source.kind() == io::ErrorKind::BrokenPipe)
}

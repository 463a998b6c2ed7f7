//! Printing: results on stdout, everything else on stderr.

use std::{
    fmt::Display,
    io::{self, Write},
};

use super::format::line;

/// A line of progress: a name in a column of its own, then the text.
pub(crate) fn say(name: &str, text: impl Display) {
    eprintln!("{}", line(name, text));
}

/// A result. A reader may close the pipe early.
pub(crate) fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// A result for programs.
pub(crate) fn print_json(value: &serde_json::Value) {
    print(&format!("{value:#}\n"));
}

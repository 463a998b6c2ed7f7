//! Where an input was found, and what is wrong with it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::cause::{BoxError, one_line};
use super::printable::{listed, printable};

/// Where an input was found, for messages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The file, or the table, which all its rows share.
    pub path: Arc<Path>,
    /// The line of a table, or the row of one that has no lines, counted from 1.
    pub line: Option<u64>,
}

impl Location {
    /// The place for programs, with the path as it is; printed, it is [`printable`].
    pub fn verbatim(&self) -> String {
        let line = self.line.map(|line| format!(":{line}"));
        self.path.display().to_string() + &line.unwrap_or_default()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.verbatim()))
    }
}

/// A sample that could not be read.
#[derive(Debug)]
pub struct BadSample {
    /// Where it was found.
    pub place: Location,
    /// What is wrong with it.
    pub cause: BoxError,
}

impl fmt::Display for BadSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, one_line(self.cause.as_ref()))
    }
}

/// All of them in a message.
pub(super) fn list_bad(bad: &[BadSample]) -> String {
    format!(
        "{} sample{} cannot be used (--skip-bad leaves {} out):{}",
        bad.len(),
        if bad.len() == 1 { "" } else { "s" },
        if bad.len() == 1 { "it" } else { "them" },
        listed(bad, 20),
    )
}

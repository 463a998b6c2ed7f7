//! Printing: results on stdout, everything else on stderr.

use std::{
    fmt::Display,
    io::{self, Write},
};

use crosstune_core::{BadSample, data::Unusable};

use super::format::{count, line};

/// A line of progress: a name in a column of its own, then the text.
pub(crate) fn say(name: &str, text: impl Display) {
    eprintln!("{}", line(name, text));
}

/// Names files that are no samples, by their extensions.
pub(crate) fn say_ignored(ignored: &[(String, usize)], samples: &str) {
    for (ending, n) in ignored {
        say("ignored", format!("{} .{ending}, which are not {samples}", count(*n)));
    }
}

/// What was left out: rows of tables and files that are not there, and what could not be read.
pub(crate) fn skipped(unusable: &[Unusable], bad: &[BadSample]) -> Vec<String> {
    unusable.iter().map(ToString::to_string).chain(bad.iter().map(ToString::to_string)).collect()
}

/// Names what was left out; of much, the first.
pub(crate) fn say_skipped(skipped: &[String], samples: &str) {
    const SHOWN: usize = 20;
    if skipped.is_empty() {
        return;
    }
    say("skipped", format!("{} {samples} that cannot be read:", count(skipped.len())));
    skipped.iter().take(SHOWN).for_each(|one| eprintln!("  {one}"));
    if skipped.len() > SHOWN {
        eprintln!("  … and {} more", count(skipped.len() - SHOWN));
    }
}

/// A result. A reader may close the pipe early.
pub(crate) fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}

/// A result for programs.
pub(crate) fn print_json(value: &serde_json::Value) {
    print(&format!("{value:#}\n"));
}

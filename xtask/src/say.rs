//! What a task says: results on stdout, progress on stderr.

use std::fmt::Arguments;
use std::io::{self, Write};

use anyhow::{Context, Result};

/// A line of a task's result. If it cannot be written, the function that says it fails.
macro_rules! say {
    ($($text:tt)*) => { $crate::say::out(format_args!("{}\n", format_args!($($text)*)))? };
}

/// The same without an end of the line.
macro_rules! say_on {
    ($($text:tt)*) => { $crate::say::out(format_args!($($text)*))? };
}

/// A line of progress, or an error. It may vanish: no task ends because nobody listens.
macro_rules! note {
    ($($text:tt)*) => { $crate::say::err(format_args!($($text)*)) };
}

pub(crate) fn out(text: Arguments<'_>) -> Result<()> {
    let mut stdout = io::stdout();
    stdout.write_fmt(text).and_then(|()| stdout.flush()).context("stdout: cannot write")
}

pub(crate) fn err(text: Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{text}");
}

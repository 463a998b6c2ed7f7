//! Progress bars, on a terminal only; elsewhere each epoch prints a line.

use std::io::IsTerminal;

use crosstune_core::error::printable;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar for reading `length` samples, which are called `name`.
pub(crate) fn reading(length: usize, name: &str) -> ProgressBar {
    let bar = bar(length, "{prefix} {bar:30} {pos}/{len}  {eta} left");
    bar.set_prefix(format!("reading {name}"));
    bar
}

/// A bar for the steps of a whole training; its text has epoch, loss and accuracy.
pub(crate) fn training(steps: usize) -> ProgressBar {
    bar(steps, "{prefix} {bar:30} {msg}  {eta} left")
}

/// A bar for the bytes of a file that is fetched, `done` of them before it began.
pub(crate) fn fetching(file: &str, done: u64, size: u64) -> ProgressBar {
    let template = "{prefix} {bar:30} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left";
    let bar = bar(size as usize, template).with_position(done);
    bar.set_prefix(format!("fetching {}", printable(file)));
    // What an earlier attempt fetched does not count in this one's speed.
    bar.reset_eta();
    bar
}

fn bar(length: usize, template: &str) -> ProgressBar {
    let watched = std::io::stderr().is_terminal() && super::print::speaks();
    if !watched || super::lines::for_machines() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template)
        .map(|s| s.progress_chars("━╸─"))
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length as u64).with_style(style)
}

//! Progress bars: on a terminal they move; elsewhere each epoch is a line.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for `length` things of which `name` tells the sort.
pub(crate) fn reading(length: usize, name: &str) -> ProgressBar {
    let bar = bar(length, "{prefix} {bar:30} {pos}/{len}  {eta} left");
    bar.set_prefix(format!("reading {name}"));
    bar
}

/// A bar for the steps of a whole training, whose message tells epoch, loss and accuracy.
pub(crate) fn training(steps: usize) -> ProgressBar {
    bar(steps, "{prefix} {bar:30} {msg}  {eta} left")
}

fn bar(length: usize, template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template)
        .map(|s| s.progress_chars("━╸─"))
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(length as u64).with_style(style)
}

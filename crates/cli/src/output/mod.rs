//! What is printed and drawn.

pub(crate) mod format;
pub(crate) mod metrics;
mod print;
pub(crate) mod progress;
pub(crate) mod sheet;

pub(crate) use print::{print, print_json, say, say_ignored, say_skipped, skipped};

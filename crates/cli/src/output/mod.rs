//! What is printed and drawn.

pub(crate) mod format;
pub(crate) mod metrics;
mod print;
pub(crate) mod progress;
pub(crate) mod sheet;

pub(crate) use print::{json, note, print, print_json, say};

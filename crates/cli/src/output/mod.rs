//! What is printed and drawn.

mod delimited;
pub(crate) mod drawing;
pub(crate) mod format;
mod heat;
pub(crate) mod metrics;
mod print;
pub(crate) mod progress;
mod save;
pub(crate) mod sheet;

pub(crate) use delimited::Delimited;
pub(crate) use print::{
    is_reader_gone, json, note, print, print_json, printed, say, say_error, say_ignored,
    say_skipped, skipped, speak_as,
};
pub(crate) use save::save;

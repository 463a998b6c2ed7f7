//! What is printed and drawn.

pub(crate) mod confusion;
mod delimited;
pub(crate) mod events;
pub(crate) mod drawing;
pub(crate) mod format;
mod lines;
mod heat;
pub(crate) mod metrics;
mod print;
pub(crate) mod progress;
pub(crate) mod reliability;
mod save;
pub(crate) mod sheet;

pub(crate) use delimited::Delimited;
pub(crate) use lines::{for_machines, speak_for_machines};
pub(crate) use print::{
    event, is_reader_gone, json, note, print, print_json, printed, say, say_error, say_ignored,
    say_skipped, skipped, speak_as, tell,
};
pub(crate) use save::save;

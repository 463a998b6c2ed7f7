//! `check`.

mod args;
// The file that does what the command says is called as the command is.
#[allow(clippy::module_inception)]
mod check;
mod distribution;
mod extent;
mod tags;
mod transcripts;

pub(crate) use args::CheckArgs;
pub(crate) use check::{Verdict, check};

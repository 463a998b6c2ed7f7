//! `train`.

mod args;
mod calibrate;
mod log;
mod lr_plot;
mod plan;
mod result;
mod resume;
// The file that does what the command says is called as the command is.
#[allow(clippy::module_inception)]
mod train;

pub(crate) use args::TrainArgs;
pub(crate) use resume::{Resume, relaxed};
pub(crate) use train::train;

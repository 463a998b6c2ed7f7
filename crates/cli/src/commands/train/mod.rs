//! `train`.

mod args;
mod board;
mod board_plan;
mod calibrate;
mod fitted;
mod histogram;
mod log;
mod lr_plot;
mod plan;
mod result;
mod resume;
// The file that does what the command says is called as the command is.
#[allow(clippy::module_inception)]
mod train;
mod watch;
mod worst;

pub(crate) use args::TrainArgs;
pub(crate) use resume::{Resume, relaxed};
pub(crate) use train::train;
pub(crate) use watch::LogFormat;

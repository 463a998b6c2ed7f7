//! `train`.

mod args;
mod log;
mod lr_plot;
mod plan;
mod result;
// The file that does what the command says is called as the command is.
#[allow(clippy::module_inception)]
mod train;

pub(crate) use args::TrainArgs;
pub(crate) use train::train;

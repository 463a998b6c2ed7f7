//! `plot`.

mod curves;
// The file that does what the command says is called as the command is.
#[allow(clippy::module_inception)]
mod plot;

pub(crate) use plot::{PlotArgs, plot};

//! `rank`.

mod args;
// The file that does what the command says is called as the command is.
#[allow(clippy::module_inception)]
mod rank;

pub(crate) use args::RankArgs;
pub(crate) use rank::rank;

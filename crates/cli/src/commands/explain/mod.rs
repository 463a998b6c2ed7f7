//! `explain`.

mod args;
// The file that does what the command says is called as the command is.
#[allow(clippy::module_inception)]
mod explain;
mod words;

pub(crate) use args::ExplainArgs;
pub(crate) use explain::explain;

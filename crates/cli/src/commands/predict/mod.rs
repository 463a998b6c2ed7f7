//! `predict`.

mod args;
mod lines;
// The file that does what the command says is called as the command is.
#[allow(clippy::module_inception)]
mod predict;
mod table;

pub(crate) use args::PredictArgs;
pub(crate) use predict::predict;

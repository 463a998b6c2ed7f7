//! `compare`.

mod args;
// The file that does what the command says is called as the command is.
#[allow(clippy::module_inception)]
mod compare;
mod error_examples;
mod figures;
mod leave_out;
mod machine;
mod progress;
mod sentences;
mod trial;

pub(crate) use args::CompareArgs;
pub(crate) use compare::compare;

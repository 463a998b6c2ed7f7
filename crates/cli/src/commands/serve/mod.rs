//! `serve`.

mod args;
#[allow(clippy::module_inception)]
mod serve;

pub(crate) use args::ServeArgs;
pub(crate) use serve::serve;

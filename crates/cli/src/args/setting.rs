//! An option that cannot be used.

use crosstune_core::Error;

/// The error that names it, and says what would be right.
pub(crate) fn setting(setting: &'static str, problem: impl Into<String>) -> anyhow::Error {
    Error::Setting { setting, problem: problem.into() }.into()
}

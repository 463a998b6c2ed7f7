//! What a person sees.

pub(crate) mod format;
pub(crate) mod metrics;
pub(crate) mod progress;
pub(crate) mod sheet;

//! From options to models and samples.

pub(crate) mod candidates;
pub(crate) mod coverage;
pub(crate) mod inputs;
pub(crate) mod job;
pub(crate) mod launch;
pub(crate) mod open;
pub(crate) mod symbols;
pub(crate) mod together;
pub(crate) mod weights;

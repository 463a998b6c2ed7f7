//! Options that several commands share.

pub(crate) mod data;
pub(crate) mod fit;
pub(crate) mod samples;
pub(crate) mod transfer;

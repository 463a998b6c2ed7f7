//! Attention, and who may look where.

mod attention;
mod mask;

pub use mask::Attend;

pub(crate) use attention::Attention;
pub(crate) use mask::backwards;

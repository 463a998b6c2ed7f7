//! Self-attention and its masks.

mod attention;
mod mask;

pub use mask::AttentionKind;

pub(crate) use attention::Attention;
pub(crate) use mask::causal_mask;

//! Self-attention and its masks.

mod attention;
mod config;
mod mask;

pub use config::{AttentionBiases, QkNorm};
pub use mask::AttentionKind;

pub(crate) use attention::{Attention, AttentionContext};
pub(crate) use config::AttentionConfig;
pub(crate) use mask::{causal_mask, local_mask};

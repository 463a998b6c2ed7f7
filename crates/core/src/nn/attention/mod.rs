//! Self-attention and its masks.

mod attention;
mod config;
mod mask;

pub use config::{AttentionBiases, QkNorm};
pub use mask::AttentionKind;

pub(crate) use attention::{Attention, AttentionContext, GraphContext, attend_onnx};
pub(crate) use config::AttentionConfig;
pub(crate) use mask::{causal_mask, causal_mask_onnx, local_mask, local_mask_onnx};

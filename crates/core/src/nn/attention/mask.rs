//! Attention masks.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// `[T, T]`, true where a position attends to itself or an earlier one.
pub(crate) fn causal_mask(t: i64, device: Device) -> Tensor {
    Tensor::ones([t, t], (Kind::Bool, device)).tril(0)
}

/// `[T, T]`, true where a position attends to one at a distance of at most `reach`.
pub(crate) fn local_mask(t: i64, reach: i64, device: Device) -> Tensor {
    Tensor::ones([t, t], (Kind::Bool, device)).tril(reach).triu(-reach)
}

/// Which positions a position attends to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttentionKind {
    /// All positions.
    #[serde(alias = "everywhere")]
    Bidirectional,
    /// Itself and those before it.
    #[serde(alias = "backwards")]
    Causal,
}

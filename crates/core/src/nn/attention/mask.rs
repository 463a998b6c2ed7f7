//! Attention masks.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::onnx::Value;

/// `[T, T]`, true where a position attends to itself or an earlier one.
pub(crate) fn causal_mask(t: i64, device: Device) -> Tensor {
    Tensor::ones([t, t], (Kind::Bool, device)).tril(0)
}

/// `[T, T]`, true where a position attends to one at a distance of at most `reach`.
pub(crate) fn local_mask(t: i64, reach: i64, device: Device) -> Tensor {
    Tensor::ones([t, t], (Kind::Bool, device)).tril(reach).triu(-reach)
}

/// [`causal_mask`] in a graph, of the number of positions, `[1]`.
pub(crate) fn causal_mask_onnx(t: &Value) -> Value {
    let numbers = t.range();
    numbers.unsqueeze(&[0]).le(&numbers.unsqueeze(&[1]))
}

/// [`local_mask`] in a graph, of the number of positions, `[1]`.
pub(crate) fn local_mask_onnx(t: &Value, reach: i64) -> Value {
    let numbers = t.range();
    let behind = numbers.unsqueeze(&[1]) - numbers.unsqueeze(&[0]);
    let reach = behind.scalar(reach as f64);
    behind.le(&reach).logical_and(&(-behind).le(&reach))
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

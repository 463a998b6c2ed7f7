//! What positions are scored by: the shape and the tensors of a block's attention.

use tch::Tensor;

use crate::nn::layers::Linear;
use crate::onnx::Value;

/// The shape of a block's attention.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadShape {
    /// The length of a hidden state, `D`.
    pub(crate) width: i64,
    /// Heads of queries, `H`.
    pub(crate) heads: i64,
    /// The length of a head's vectors, `W`.
    pub(crate) head_width: i64,
}

/// What a block computes its bias from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scored<'a> {
    /// What attention is computed of: `[B, T, D]`.
    pub(crate) x: &'a Tensor,
    /// The queries, `[B, H, T, W]`.
    pub(crate) q: &'a Tensor,
    /// The keys, of the same shape.
    pub(crate) k: &'a Tensor,
    /// The layers that make queries and keys.
    pub(crate) layers: [&'a Linear; 2],
    /// What scores are multiplied with.
    pub(crate) scale: f64,
    /// The dropout of position vectors in training.
    pub(crate) dropout: f64,
    pub(crate) train: bool,
}

/// The same in a graph.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GraphScored<'a> {
    /// `[B, T, D]`.
    pub(crate) x: &'a Value,
    /// `[B, H, T, W]`.
    pub(crate) q: &'a Value,
    /// The same.
    pub(crate) k: &'a Value,
    pub(crate) layers: [&'a Linear; 2],
    pub(crate) scale: f64,
}

impl GraphScored<'_> {
    /// `[T, T]` for every head of every sample: `[B, H, T, T]`.
    pub(crate) fn for_each_head(&self, pairs: &Value) -> Value {
        let sides = Value::cat(&[&self.q.sizes(0, 2), &pairs.sizes(0, 2)], 0);
        pairs.expand(&sides)
    }
}

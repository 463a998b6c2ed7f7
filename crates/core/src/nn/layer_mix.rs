//! A learned weighted sum of all hidden states (Yang et al. 2021, SUPERB, §3.2; s3prl's featurizer).

use tch::nn::Init;
use tch::{Kind, Tensor};

use super::exporter::Exporter;
use crate::error::Result;
use crate::onnx::Value;
use crate::weights::VarBuilder;

/// A weight for each hidden state of a transformer: for what its embedder makes, then for what each
/// block makes. The softmax of the weights is what is summed by.
#[derive(Debug)]
pub(super) struct LayerMix {
    /// `[L]`.
    weights: Tensor,
}

impl LayerMix {
    /// `layer_weights [layers]` below `vb`; new ones are all the same.
    pub(super) fn new(vb: &VarBuilder<'_>, layers: i64) -> Result<Self> {
        let alike = Init::Const((layers.max(1) as f64).recip());
        Ok(Self { weights: vb.param("layer_weights", &[layers], alike)? })
    }

    /// `[B, L, D]` to `[B, D]`.
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        self.weights.softmax(-1, Kind::Float).matmul(x)
    }

    /// The same in a graph.
    pub(super) fn onnx(&self, e: &Exporter, x: &Value) -> Value {
        e.parameter(&self.weights).softmax().matmul(x)
    }
}

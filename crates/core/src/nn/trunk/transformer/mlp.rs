//! The MLP of a block.

use tch::Tensor;

use super::config::{MlpKind, TransformerConfig};
use crate::error::Result;
use crate::nn::exporter::Exporter;
use crate::nn::layers::{Activation, Linear, Norm, SubNorm};
use crate::onnx::Value;
use crate::weights::VarBuilder;

#[derive(Debug)]
pub(in crate::nn) struct Mlp {
    up: Linear,
    gate: Option<Linear>,
    norm: Option<Norm>,
    down: Linear,
    activation: Activation,
}

impl Mlp {
    pub(in crate::nn) fn new(vb: &VarBuilder<'_>, c: &TransformerConfig) -> Result<Self> {
        let up = |name| Linear::normal(&vb.sub(name), c.width, c.mlp, c.mlp_bias);
        Ok(Self {
            up: up("up")?,
            gate: match c.mlp_kind {
                MlpKind::Plain => None,
                MlpKind::Gated => Some(up("gate")?),
            },
            norm: match c.sub_norm {
                SubNorm::Without => None,
                SubNorm::Mlp | SubNorm::AttentionAndMlp => {
                    Some(Norm::new(&vb.sub("norm"), c.norm_kind, c.mlp, c.eps)?)
                }
            },
            down: Linear::normal(&vb.sub("down"), c.mlp, c.width, c.mlp_bias)?,
            activation: c.activation,
        })
    }

    /// `[…, D]` to `[…, D]`.
    pub(in crate::nn) fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let up = self.up.forward_t(x, train);
        let hidden = match &self.gate {
            None => self.activation.forward(&up),
            Some(gate) => self.activation.forward(&gate.forward_t(x, train)) * up,
        };
        let hidden = self.norm.as_ref().map(|norm| norm.forward(&hidden)).unwrap_or(hidden);
        self.down.forward_t(&hidden, train)
    }

    /// The same in a graph.
    pub(in crate::nn) fn onnx(&self, e: &Exporter, x: &Value) -> Value {
        let up = self.up.onnx(e, x);
        let hidden = match &self.gate {
            None => self.activation.onnx(&up),
            Some(gate) => self.activation.onnx(&gate.onnx(e, x)) * up,
        };
        let hidden = self.norm.as_ref().map(|norm| norm.onnx(e, &hidden)).unwrap_or(hidden);
        self.down.onnx(e, &hidden)
    }
}

//! The MLP of a block.

use tch::Tensor;

use super::config::{MlpKind, TransformerConfig};
use crate::error::Result;
use crate::nn::layers::{Activation, Linear};
use crate::weights::VarBuilder;

#[derive(Debug)]
pub(super) struct Mlp {
    up: Linear,
    gate: Option<Linear>,
    down: Linear,
    activation: Activation,
}

impl Mlp {
    pub(super) fn new(vb: &VarBuilder<'_>, c: &TransformerConfig) -> Result<Self> {
        let up = |name| Linear::normal(&vb.sub(name), c.width, c.mlp, c.mlp_bias);
        Ok(Self {
            up: up("up")?,
            gate: match c.mlp_kind {
                MlpKind::Plain => None,
                MlpKind::Gated => Some(up("gate")?),
            },
            down: Linear::normal(&vb.sub("down"), c.mlp, c.width, c.mlp_bias)?,
            activation: c.activation,
        })
    }

    /// `[…, D]` to `[…, D]`.
    pub(super) fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let up = self.up.forward_t(x, train);
        let hidden = match &self.gate {
            None => self.activation.forward(&up),
            Some(gate) => self.activation.forward(&gate.forward_t(x, train)) * up,
        };
        self.down.forward_t(&hidden, train)
    }
}

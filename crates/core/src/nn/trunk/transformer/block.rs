//! One block of a transformer.

use tch::Tensor;
use tch::nn::Init;

use super::config::{LayerScale, TransformerConfig};
use crate::error::Result;
use crate::nn::attention::{Attention, AttentionKind};
use crate::nn::layers::dropout::dropout;
use crate::nn::layers::{INIT, LayerNorm, Linear, NormPlacement};
use crate::weights::VarBuilder;

#[derive(Debug)]
pub(super) struct Block {
    norm1: LayerNorm,
    attn: Attention,
    norm2: LayerNorm,
    up: Linear,
    down: Linear,
    /// Layer scales of attention and MLP, each `[D]`.
    scales: Option<[Tensor; 2]>,
}

impl Block {
    pub(super) fn new(vb: &VarBuilder<'_>, c: &TransformerConfig) -> Result<Self> {
        let mlp = vb.sub("mlp");
        let scale = |name| vb.param(name, &[c.width], Init::Const(1.));
        Ok(Self {
            norm1: LayerNorm::new(&vb.sub("norm1"), c.width, c.eps)?,
            attn: Attention::new(&vb.sub("attn"), c.width, c.heads)?,
            norm2: LayerNorm::new(&vb.sub("norm2"), c.width, c.eps)?,
            up: Linear::normal(&mlp.sub("up"), c.width, c.mlp, INIT)?,
            down: Linear::normal(&mlp.sub("down"), c.mlp, c.width, INIT)?,
            scales: match c.layer_scale {
                LayerScale::Without => None,
                LayerScale::Learned => Some([scale("scale1")?, scale("scale2")?]),
            },
        })
    }

    pub(super) fn forward(
        &self,
        x: &Tensor,
        mask: Option<&Tensor>,
        c: &TransformerConfig,
        train: bool,
    ) -> Tensor {
        let drop = |y: Tensor| dropout(&y, c.dropout, train);
        let scaled = |y: Tensor, i: usize| match &self.scales {
            Some(scales) => y * &scales[i],
            None => y,
        };
        let causal = c.attention == AttentionKind::Causal;
        let attend =
            |x: &Tensor| scaled(drop(self.attn.forward(x, mask, causal, c.dropout, train)), 0);
        let mlp = |x: &Tensor| {
            let hidden = c.activation.forward(&self.up.forward_t(x, train));
            scaled(drop(self.down.forward_t(&hidden, train)), 1)
        };
        match c.norm_placement {
            NormPlacement::Pre => {
                let x = x + attend(&self.norm1.forward(x));
                &x + mlp(&self.norm2.forward(&x))
            }
            NormPlacement::Post => {
                let x = self.norm1.forward(&(x + attend(x)));
                self.norm2.forward(&(&x + mlp(&x)))
            }
        }
    }
}

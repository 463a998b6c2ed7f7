//! One block of a transformer.

use tch::Tensor;
use tch::nn::Init;

use super::config::{FirstNorm, LayerScale, TransformerConfig};
use super::input_conv::InputConv;
use super::mlp::Mlp;
use crate::error::Result;
use crate::nn::attention::{Attention, AttentionContext, GraphContext};
use crate::nn::exporter::Exporter;
use crate::nn::layers::dropout::{add_dropout, drop_path, dropout};
use crate::nn::layers::{Norm, NormPlacement};
use crate::onnx::Value;
use crate::weights::VarBuilder;

#[derive(Debug)]
pub(super) struct Block {
    attention: Branch,
    attn: Attention,
    feed_forward: Branch,
    mlp: Mlp,
    /// Beside the first block, where the configuration asks for it.
    conv: Option<InputConv>,
}

/// What stands around attention, or around the MLP.
#[derive(Debug)]
struct Branch {
    /// Ahead of it.
    before: Option<Norm>,
    /// Behind it, ahead of the residual sum.
    after: Option<Norm>,
    /// Behind the residual sum.
    sum: Option<Norm>,
    /// The layer scale, `[D]`.
    scale: Option<Tensor>,
    dropout: f64,
    drop_path: f64,
}

impl Branch {
    /// `n` is 1 for attention, 2 for the MLP.
    fn new(vb: &VarBuilder<'_>, c: &TransformerConfig, n: usize, index: usize) -> Result<Self> {
        let norm = |name| Norm::new(&vb.sub(name), c.norm_kind, c.width, c.eps);
        let (first, second) = (format!("norm{n}"), format!("norm{n}_out"));
        let without_first = c.first_norm == FirstNorm::Without && index == 0 && n == 1;
        let (before, after, sum) = match c.norm_placement {
            NormPlacement::Pre if without_first => (None, None, None),
            NormPlacement::Pre => (Some(norm(first)?), None, None),
            NormPlacement::Post => (None, None, Some(norm(first)?)),
            NormPlacement::Sandwich => (Some(norm(first)?), Some(norm(second)?), None),
        };
        let scale = match c.layer_scale {
            LayerScale::Without => None,
            LayerScale::Learned => {
                Some(vb.param(&format!("scale{n}"), &[c.width], Init::Const(1.))?)
            }
        };
        let drop_path = c.drop_path * index as f64 / (c.depth.max(2) - 1) as f64;
        Ok(Self { before, after, sum, scale, dropout: c.dropout, drop_path })
    }

    /// `x [B, T, D]` with what `f` makes of it.
    fn forward(&self, x: &Tensor, train: bool, f: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
        let y = match &self.before {
            Some(norm) => f(&norm.forward(x)),
            None => f(x),
        };
        let y = self.after.as_ref().map(|norm| norm.forward(&y)).unwrap_or(y);
        let sum = match &self.scale {
            None if !train || self.drop_path == 0. => add_dropout(x, &y, self.dropout, train),
            None => x + drop_path(dropout(&y, self.dropout, train), self.drop_path, train),
            Some(scale) => {
                let y = dropout(&y, self.dropout, train) * scale;
                x + drop_path(y, self.drop_path, train)
            }
        };
        self.sum.as_ref().map(|norm| norm.forward(&sum)).unwrap_or(sum)
    }

    /// The same in a graph.
    fn onnx(&self, e: &Exporter, x: &Value, f: impl FnOnce(&Value) -> Value) -> Value {
        let y = match &self.before {
            Some(norm) => f(&norm.onnx(e, x)),
            None => f(x),
        };
        let y = self.after.as_ref().map(|norm| norm.onnx(e, &y)).unwrap_or(y);
        let y = self.scale.as_ref().map(|scale| &y * e.parameter(scale)).unwrap_or(y);
        let sum = x + y;
        self.sum.as_ref().map(|norm| norm.onnx(e, &sum)).unwrap_or(sum)
    }
}

impl Block {
    /// The block with this index.
    pub(super) fn new(vb: &VarBuilder<'_>, c: &TransformerConfig, index: usize) -> Result<Self> {
        let conv = c.conv.filter(|_| index == 0).map(|conv| {
            let norm = (c.norm_kind, c.eps);
            InputConv::new(&vb.sub("conv"), conv, c.width, norm, c.dropout)
        });
        Ok(Self {
            attention: Branch::new(vb, c, 1, index)?,
            attn: Attention::new(&vb.sub("attn"), c.attention_config())?,
            feed_forward: Branch::new(vb, c, 2, index)?,
            mlp: Mlp::new(&vb.sub("mlp"), c)?,
            conv: conv.transpose()?,
        })
    }

    /// `x [B, T, D]` to the same shape; `p` is the dropout of attention's weights.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        context: &AttentionContext,
        p: f64,
        train: bool,
    ) -> Tensor {
        let attend = |x: &Tensor| self.attn.forward(x, context, p, train);
        let y = self.attention.forward(x, train, attend);
        let y = self.feed_forward.forward(&y, train, |y| self.mlp.forward(y, train));
        match &self.conv {
            Some(conv) => conv.forward(x, &y, context.padding.as_ref(), train),
            None => y,
        }
    }

    /// The same in a graph.
    pub(super) fn onnx(&self, e: &Exporter, x: &Value, context: &GraphContext) -> Value {
        let y = self.attention.onnx(e, x, |x| self.attn.onnx(e, x, context));
        let y = self.feed_forward.onnx(e, &y, |y| self.mlp.onnx(e, y));
        match &self.conv {
            Some(conv) => conv.onnx(e, x, &y, context.padding.as_ref()),
            None => y,
        }
    }
}

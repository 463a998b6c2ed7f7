//! One block of a conformer (Gulati et al. 2020): attention and a convolution between two half steps of
//! an MLP, as in Macaron (Lu et al. 2019).

use tch::Tensor;

use super::config::TransformerConfig;
use super::convolution::Convolution;
use super::convolution_config::ConvolutionConfig;
use super::mlp::Mlp;
use crate::error::Result;
use crate::nn::attention::{Attention, AttentionContext, GraphContext};
use crate::nn::exporter::Exporter;
use crate::nn::layers::dropout::dropout;
use crate::nn::layers::{BatchNormStats, Norm};
use crate::onnx::Value;
use crate::weights::VarBuilder;

#[derive(Debug)]
pub(super) struct ConformerBlock {
    first: HalfStep,
    norm_attention: Norm,
    attn: Attention,
    conv: Convolution,
    second: HalfStep,
    norm_out: Norm,
    dropout: f64,
}

/// An MLP of which half is added.
#[derive(Debug)]
struct HalfStep {
    norm: Norm,
    mlp: Mlp,
}

impl HalfStep {
    fn forward(&self, x: &Tensor, p: f64, train: bool) -> Tensor {
        x + dropout(&self.mlp.forward(&self.norm.forward(x), train), p, train) * 0.5
    }

    /// The same in a graph.
    fn onnx(&self, e: &Exporter, x: &Value) -> Value {
        x + self.mlp.onnx(e, &self.norm.onnx(e, x)) * 0.5
    }
}

impl ConformerBlock {
    pub(super) fn new(
        vb: &VarBuilder<'_>,
        c: &TransformerConfig,
        conv: ConvolutionConfig,
    ) -> Result<Self> {
        let norm = |vb: VarBuilder<'_>| Norm::new(&vb, c.norm_kind, c.width, c.eps);
        let half = |norm_at, vb: &VarBuilder<'_>| -> Result<_> {
            Ok(HalfStep { norm: norm(norm_at)?, mlp: Mlp::new(&vb.sub("mlp"), c)? })
        };
        let macaron = vb.sub("macaron");
        Ok(Self {
            first: half(macaron.sub("norm"), &macaron)?,
            norm_attention: norm(vb.sub("norm1"))?,
            attn: Attention::new(&vb.sub("attn"), c.attention_config())?,
            conv: Convolution::new(&vb.sub("conv"), c, conv)?,
            second: half(vb.sub("norm2"), vb)?,
            norm_out: norm(vb.sub("norm_out"))?,
            dropout: c.dropout,
        })
    }

    pub(super) fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        self.conv.set_batch_norm_stats(statistics);
    }

    /// `x [B, T, D]` to the same shape; `p` is the dropout of attention's weights.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        context: &AttentionContext,
        p: f64,
        train: bool,
    ) -> Tensor {
        let x = self.first.forward(x, self.dropout, train);
        let attended = self.attn.forward(&self.norm_attention.forward(&x), context, p, train);
        let x = x + dropout(&attended, self.dropout, train);
        let convolved = self.conv.forward(&x, context.padding.as_ref(), train);
        let x = x + dropout(&convolved, self.dropout, train);
        self.norm_out.forward(&self.second.forward(&x, self.dropout, train))
    }

    /// The same in a graph.
    pub(super) fn onnx(&self, e: &Exporter, x: &Value, context: &GraphContext) -> Value {
        let x = self.first.onnx(e, x);
        let x = &x + self.attn.onnx(e, &self.norm_attention.onnx(e, &x), context);
        let x = &x + self.conv.onnx(e, &x, context.padding.as_ref());
        self.norm_out.onnx(e, &self.second.onnx(e, &x))
    }
}

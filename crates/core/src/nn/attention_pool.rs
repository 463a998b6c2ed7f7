//! Pooling by attention with a learned query.

use tch::Tensor;
use tch::nn::Init;

use crate::error::Result;
use crate::nn::attention::attend_onnx;
use crate::nn::exporter::{Exporter, GraphSequence};
use crate::nn::features::Sequence;
use crate::nn::layers::{Bias, Linear, Norm, SubNorm};
use crate::nn::trunk::{Mlp, MlpKind, TransformerConfig};
use crate::onnx::Value;
use crate::weights::VarBuilder;

/// One learned query attends to all positions, and an MLP follows with a residual around it (Lee et
/// al. 2019, *Set Transformer*, §3.2; SigLIP's and big_vision's MAP head).
#[derive(Debug)]
pub(crate) struct AttentionPool {
    /// `[1, 1, D]`.
    query: Tensor,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    norm: Norm,
    mlp: Mlp,
    heads: i64,
}

impl AttentionPool {
    /// Parameters `query [1, 1, D]`, `attn.{q,k,v,out}`, `norm` and `mlp.{up,down}` below `vb`, with
    /// the heads and of the widths of a trunk's.
    pub(crate) fn new(vb: &VarBuilder<'_>, c: &TransformerConfig) -> Result<Self> {
        let (plain, bias) = (MlpKind::Plain, Bias::With);
        let without = SubNorm::Without;
        let mlp =
            TransformerConfig { mlp_kind: plain, mlp_bias: bias, sub_norm: without, ..c.clone() };
        let attn = vb.sub("attn");
        let linear = |name| Linear::normal(&attn.sub(name), c.width, c.width, Bias::With);
        let stdev = (c.width as f64).sqrt().recip();
        Ok(Self {
            query: vb.param("query", &[1, 1, c.width], Init::Randn { mean: 0., stdev })?,
            q: linear("q")?,
            k: linear("k")?,
            v: linear("v")?,
            out: linear("out")?,
            norm: Norm::new(&vb.sub("norm"), c.norm_kind, c.width, c.eps)?,
            mlp: Mlp::new(&vb.sub("mlp"), &mlp)?,
            heads: c.heads,
        })
    }

    /// `[B, T, D]`, without the first `prefix` positions, to `[B, D]`.
    pub(crate) fn forward_behind(&self, prefix: i64, sequence: &Sequence) -> Tensor {
        let behind = |x: &Tensor| x.narrow(1, prefix, x.size()[1] - prefix);
        let x = &behind(&sequence.x);
        let mask = sequence.attention_mask.as_ref().map(behind);
        let split = |x: Tensor| x.unflatten(2, [self.heads, -1]).transpose(1, 2);
        // As many as inputs, but not by the batch size, so that a traced model takes any.
        let query = self.query.expand_as(&x.narrow(1, 0, 1));
        let q = split(self.q.forward(&query));
        let (k, v) = (split(self.k.forward(x)), split(self.v.forward(x)));
        let mask = mask.map(|mask| mask.unsqueeze(1).unsqueeze(1));
        let y = Tensor::scaled_dot_product_attention(&q, &k, &v, mask, 0., false, None, false);
        let y = self.out.forward(&y.transpose(1, 2).flatten(2, 3).select(1, 0));
        &y + self.mlp.forward(&self.norm.forward(&y), false)
    }

    /// The same in a graph.
    pub(crate) fn onnx_behind(&self, e: &Exporter, prefix: i64, sequence: &GraphSequence) -> Value {
        let x = &sequence.x.narrow_from(1, prefix);
        let mask = sequence.attention_mask.as_ref();
        let mask = mask.map(|mask| mask.narrow_from(1, prefix).unsqueeze(&[1, 2]));
        let width = self.q.outputs() / self.heads;
        let split = |x: Value| x.reshape(&[0, 0, self.heads, width]).permute(&[0, 2, 1, 3]);
        // One for all samples.
        let q = split(self.q.onnx(e, &e.parameter(&self.query))) * (width as f64).sqrt().recip();
        let (k, v) = (split(self.k.onnx(e, x)), split(self.v.onnx(e, x)));
        let y = attend_onnx(&q, &k, &v, None, mask.as_ref());
        let y = self.out.onnx(e, &y.reshape(&[0, -1]));
        &y + self.mlp.onnx(e, &self.norm.onnx(e, &y))
    }
}

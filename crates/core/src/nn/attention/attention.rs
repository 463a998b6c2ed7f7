//! Multi-head attention (Vaswani et al. 2017, 3.2).

use tch::{Kind, Tensor};

use super::config::{AttentionConfig, QkNorm};
use super::mask::causal_mask;
use crate::error::Result;
use crate::libtorch::fused::{self, AttentionInputs};
use crate::nn::exporter::Exporter;
use crate::nn::layers::{Linear, Norm, SubNorm, dropout};
use crate::nn::position::{GraphPositions, GraphScored, PositionContext, RelativeScores, Scored};
use crate::onnx::Value;
use crate::weights::VarBuilder;

/// Self-attention.
#[derive(Debug)]
pub(crate) struct Attention {
    config: AttentionConfig,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    /// Ahead of `out`.
    sub_norm: Option<Norm>,
    /// The norms of queries and of keys.
    norms: Option<[Norm; 2]>,
    /// What this block itself knows of positions.
    relative: RelativeScores,
}

/// What all blocks that attend alike share in one forward pass.
#[derive(Debug)]
pub(crate) struct AttentionContext {
    /// Broadcasts to `[B, heads, T, T]`, true where a position may attend.
    pub(crate) mask: Option<Tensor>,
    /// Where the sequences begin that lie one behind the other in one row, and the end of the last:
    /// `[B + 1]`, i64. `None`: each has a row.
    pub(crate) cu_seqlens: Option<Tensor>,
    /// Without a mask: to no later position.
    pub(crate) causal: bool,
    /// Which positions hold data: `[B, T]`. `None`: all of them.
    pub(crate) padding: Option<Tensor>,
    pub(crate) positions: PositionContext,
}

/// The same in a graph.
#[derive(Debug)]
pub(crate) struct GraphContext {
    /// Broadcasts to `[B, heads, T, T]`, bool; a causal one is in it.
    pub(crate) mask: Option<Value>,
    /// `[B, T]`, bool.
    pub(crate) padding: Option<Value>,
    pub(crate) positions: GraphPositions,
}

impl Attention {
    pub(crate) fn new(vb: &VarBuilder<'_>, config: AttentionConfig) -> Result<Self> {
        let AttentionConfig { width, heads, kv_heads, head_width, biases, .. } = config;
        let linear = |name, d_in, d_out, bias| {
            // Those of queries and keys may project vectors of positions, too, which are of no row.
            let vb = match config.positions.are_projected_as_states() && matches!(name, "q" | "k") {
                true => &vb.without_rows(),
                false => vb,
            };
            Linear::normal(&vb.sub(name), d_in, d_out, bias)
        };
        let norm = |name, width| Norm::new(&vb.sub(name), config.norm, width, config.eps);
        Ok(Self {
            q: linear("q", width, heads * head_width, biases.q)?,
            k: linear("k", width, kv_heads * head_width, biases.k)?,
            v: linear("v", width, kv_heads * head_width, biases.v)?,
            out: linear("out", heads * head_width, width, biases.out)?,
            sub_norm: match config.sub_norm {
                SubNorm::Without | SubNorm::Mlp => None,
                SubNorm::AttentionAndMlp => Some(norm("norm", heads * head_width)?),
            },
            norms: match config.qk_norm {
                QkNorm::Without => None,
                QkNorm::Heads => Some([norm("norm_q", head_width)?, norm("norm_k", head_width)?]),
            },
            relative: RelativeScores::new(vb, config.positions, config.shape())?,
            config,
        })
    }

    /// `x [B, T, D]` to the same shape; `p` is the dropout of the weights.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        context: &AttentionContext,
        p: f64,
        train: bool,
    ) -> Tensor {
        let AttentionConfig { heads, kv_heads, head_width, scale, .. } = self.config;
        // The batch size is left open, so that a traced model takes any.
        let t = x.size()[1];
        let by_head = |x: &Tensor, heads| x.reshape([-1, t, heads, head_width]).transpose(1, 2);
        let turned = context
            .positions
            .rotary_inputs
            .as_ref()
            .map(|rotary| rotary.forward(&by_head(x, heads)).transpose(1, 2).flatten(2, 3));
        let placed = turned.as_ref().unwrap_or(x);
        let split = |linear: &Linear, x, heads| by_head(&linear.forward_t(x, train), heads);
        let (mut q, mut k) = (split(&self.q, placed, heads), split(&self.k, placed, kv_heads));
        let mut v = split(&self.v, x, kv_heads);
        if let Some([norm_q, norm_k]) = &self.norms {
            (q, k) = (norm_q.forward(&q), norm_k.forward(&k));
        }
        if let Some(rotary) = &context.positions.rotary {
            (q, k) = (rotary.forward(&q), rotary.forward(&k));
        }
        if kv_heads < heads {
            let each = |x: Tensor| x.repeat_interleave_self_int(heads / kv_heads, 1, None);
            (k, v) = (each(k), each(v));
        }
        let p = if train { p } else { 0. };
        let (q, k, layers) = (&q, &k, [&self.q, &self.k]);
        let scored = Scored { x, q, k, layers, scale, dropout: p, train };
        let bias = self.relative.forward(scored, &context.positions);
        let causal = context.causal && context.mask.is_none();
        let mask = context.mask.as_ref();
        let y = match bias {
            None if fused::has_kernels_for(&v) => {
                let cu_seqlens = context.cu_seqlens.as_ref();
                fused::attention(
                    AttentionInputs { q, k, v: &v, mask, cu_seqlens, causal, scale },
                    p,
                )
            }
            None => {
                let scale = Some(scale);
                Tensor::scaled_dot_product_attention(q, k, &v, mask, p, causal, scale, false)
            }
            Some(bias) => {
                let causal = causal.then(|| causal_mask(t, x.device()));
                let mask = mask.or(causal.as_ref());
                attend(q, k, &v, (&bias, mask), scale, p)
            }
        };
        let y = y.transpose(1, 2).reshape([-1, t, heads * head_width]);
        let y = self.sub_norm.as_ref().map(|norm| norm.forward(&y)).unwrap_or(y);
        self.out.forward_t(&y, train)
    }
}

/// In a graph.
impl Attention {
    /// `x [B, T, D]` to the same shape.
    pub(crate) fn onnx(&self, e: &Exporter, x: &Value, context: &GraphContext) -> Value {
        let AttentionConfig { heads, kv_heads, head_width, scale, .. } = self.config;
        let by_head =
            |x: &Value, heads: i64| x.reshape(&[0, 0, heads, head_width]).permute(&[0, 2, 1, 3]);
        let joined = |x: &Value| x.permute(&[0, 2, 1, 3]).reshape(&[0, 0, -1]);
        let turned = context.positions.rotary_inputs.as_ref();
        let turned = turned.map(|rotary| joined(&rotary.rotate(&by_head(x, heads))));
        let placed = turned.as_ref().unwrap_or(x);
        let split = |linear: &Linear, x, heads| by_head(&linear.onnx(e, x), heads);
        let (mut q, mut k) = (split(&self.q, placed, heads), split(&self.k, placed, kv_heads));
        let mut v = split(&self.v, x, kv_heads);
        if let Some([norm_q, norm_k]) = &self.norms {
            (q, k) = (norm_q.onnx(e, &q), norm_k.onnx(e, &k));
        }
        if let Some(rotary) = &context.positions.rotary {
            (q, k) = (rotary.rotate(&q), rotary.rotate(&k));
        }
        if kv_heads < heads {
            let copies = e.graph().ints(&[1, 1, heads / kv_heads, 1, 1]);
            let each =
                |x: Value| x.unsqueeze(&[2]).expand(&copies).reshape(&[0, heads, -1, head_width]);
            (k, v) = (each(k), each(v));
        }
        let scored = GraphScored { x, q: &q, k: &k, layers: [&self.q, &self.k], scale };
        let bias = self.relative.onnx(e, scored, &context.positions);
        let y = attend_onnx(&(&q * scale), &k, &v, bias.as_ref(), context.mask.as_ref());
        let y = joined(&y);
        let y = self.sub_norm.as_ref().map(|norm| norm.onnx(e, &y)).unwrap_or(y);
        self.out.onnx(e, &y)
    }
}

/// [`attend`] in a graph: queries that are scaled, keys and values, `[B, heads, T, W]` each, and what
/// is added to their scores, and where they may attend, as far as there is any.
pub(crate) fn attend_onnx(
    q: &Value,
    k: &Value,
    v: &Value,
    bias: Option<&Value>,
    mask: Option<&Value>,
) -> Value {
    let scores = q.matmul(&k.permute(&[0, 1, 3, 2]));
    let scores = bias.map(|bias| &scores + bias).unwrap_or(scores);
    // As a number of 16 bits it is the least of those.
    let least = scores.scalar(f32::MIN.into());
    let scores = mask.map(|mask| mask.choose(&scores, &least)).unwrap_or(scores);
    scores.softmax().matmul(v)
}

/// What libtorch's `scaled_dot_product_attention` computes of `[B, heads, T, W]`, with a bias of the
/// scores and dropout `p` of the weights: it has no fused kernel for those, and makes many passes that
/// this saves.
fn attend(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    (bias, mask): (&Tensor, Option<&Tensor>),
    scale: f64,
    p: f64,
) -> Tensor {
    let mut scores = (q * scale).matmul(&k.transpose(-2, -1)) + bias;
    if let Some(mask) = mask {
        // Not infinity, of which the softmax of a fully masked position would make NaN.
        scores = scores.masked_fill(&mask.logical_not(), least(scores.kind()));
    }
    dropout(&scores.softmax(-1, Kind::Float), p, true).matmul(v)
}

/// The least finite number of a type.
fn least(kind: Kind) -> f64 {
    match kind {
        Kind::Half => -65504.,
        // All but the last 16 bits of the least f32.
        Kind::BFloat16 => f32::from_bits(f32::MIN.to_bits() & 0xffff_0000).into(),
        _ => f32::MIN.into(),
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn it_is_libtorchs_attention() {
        tch::manual_seed(1);
        let [q, k, v] = [(); 3].map(|()| Tensor::randn([2, 3, 5, 4], (Kind::Float, Device::Cpu)));
        let mask =
            Tensor::from_slice(&[true, true, true, true, true, true, true, false, false, false])
                .view([2, 1, 1, 5]);
        let lower = causal_mask(5, Device::Cpu);
        let none = Tensor::zeros([1], (Kind::Float, Device::Cpu));
        for mask in [None, Some(&mask), Some(&lower)] {
            // A `p` so small that it drops nothing.
            let ours = attend(&q, &k, &v, (&none, mask), 0.5, 1e-9);
            let theirs =
                Tensor::scaled_dot_product_attention(&q, &k, &v, mask, 0., false, None, false);
            assert!((ours - theirs).abs().max().double_value(&[]) < 1e-5);
        }
    }

    #[test]
    fn a_fully_masked_position_is_a_number() {
        let x = Tensor::ones([1, 1, 2, 4], (Kind::Float, Device::Cpu));
        let nowhere = Tensor::zeros([1, 1, 1, 2], (Kind::Bool, Device::Cpu));
        assert!(
            bool::try_from(
                attend(&x, &x, &x, (&x.narrow(3, 0, 1), Some(&nowhere)), 0.5, 0.1).isfinite().all()
            )
            .unwrap()
        );
    }
}

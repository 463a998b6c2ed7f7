//! Multi-head attention (Vaswani et al. 2017, 3.2).

use tch::{Device, Kind, Tensor};

use super::mask::causal_mask;
use crate::error::Result;
use crate::nn::layers::{INIT, Linear, dropout};
use crate::weights::VarBuilder;

/// Self-attention.
#[derive(Debug)]
pub(crate) struct Attention {
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    heads: i64,
}

impl Attention {
    pub(crate) fn new(vb: &VarBuilder<'_>, width: i64, heads: i64) -> Result<Self> {
        let linear = |name| Linear::normal(&vb.sub(name), width, width, INIT);
        Ok(Self { q: linear("q")?, k: linear("k")?, v: linear("v")?, out: linear("out")?, heads })
    }

    /// `x [B, T, D]`; `mask` broadcasts to `[B, heads, T, T]`, true where a position may attend;
    /// `causal`, used without a mask only: to no later position. `p` is the dropout of the weights.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        mask: Option<&Tensor>,
        causal: bool,
        p: f64,
        train: bool,
    ) -> Tensor {
        // The batch size is left open, so that a traced model takes any.
        let (t, d) = (x.size()[1], x.size()[2]);
        let split = |linear: &Linear| {
            linear.forward_t(x, train).view([-1, t, self.heads, d / self.heads]).transpose(1, 2)
        };
        let [q, k, v] = [&self.q, &self.k, &self.v].map(split);
        let causal = causal && mask.is_none();
        let p = if train { p } else { 0. };
        let y = if p > 0. && x.device() == Device::Cpu {
            let causal = causal.then(|| causal_mask(t, x.device()));
            dropping(&q, &k, &v, mask.or(causal.as_ref()), p)
        } else {
            Tensor::scaled_dot_product_attention(&q, &k, &v, mask, p, causal, None, false)
        };
        self.out.forward_t(&y.transpose(1, 2).reshape([-1, t, d]), train)
    }
}

/// What libtorch's `scaled_dot_product_attention` computes of `[B, heads, T, D / heads]` with
/// dropout `p`: on a CPU it has no fused kernel for that, and makes many passes that this saves.
fn dropping(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>, p: f64) -> Tensor {
    let scale = (q.size()[3] as f64).sqrt().recip();
    let scores = (q * scale).matmul(&k.transpose(-2, -1));
    let scores = match mask {
        // Not infinity, of which the softmax of a fully masked position would make NaN.
        Some(mask) => scores.masked_fill(&mask.logical_not(), f64::from(f32::MIN)),
        None => scores,
    };
    dropout(&scores.softmax(-1, Kind::Float), p, true).matmul(v)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_libtorchs_attention() {
        tch::manual_seed(1);
        let [q, k, v] = [(); 3].map(|()| Tensor::randn([2, 3, 5, 4], (Kind::Float, Device::Cpu)));
        let mask =
            Tensor::from_slice(&[true, true, true, true, true, true, true, false, false, false])
                .view([2, 1, 1, 5]);
        let lower = causal_mask(5, Device::Cpu);
        for mask in [None, Some(&mask), Some(&lower)] {
            // A `p` so small that it drops nothing.
            let ours = dropping(&q, &k, &v, mask, 1e-9);
            let theirs =
                Tensor::scaled_dot_product_attention(&q, &k, &v, mask, 0., false, None, false);
            assert!((ours - theirs).abs().max().double_value(&[]) < 1e-6);
        }
    }

    #[test]
    fn a_fully_masked_position_is_a_number() {
        let x = Tensor::ones([1, 1, 2, 4], (Kind::Float, Device::Cpu));
        let nowhere = Tensor::zeros([1, 1, 1, 2], (Kind::Bool, Device::Cpu));
        assert!(
            bool::try_from(dropping(&x, &x, &x, Some(&nowhere), 0.1).isfinite().all()).unwrap()
        );
    }
}

//! The norm of each channel over time, in the first convolution of base models.

use crosstune_core::{
    Result, VarBuilder,
    nn::Exporter,
    onnx::{Element, Value},
};
use tch::{Kind, Tensor, nn::Init};

/// Normalises each channel over time: a group norm (Wu and He 2018) of as many groups as channels.
#[derive(Debug)]
pub(super) struct ChannelNorm {
    weight: Tensor,
    bias: Tensor,
}

impl ChannelNorm {
    /// Whatever the epsilon of a model's layer norms is.
    const EPS: f64 = 1e-5;

    /// `weight [channels]`, initialised to 1, and `bias [channels]`, initialised to 0.
    pub(super) fn new(vb: &VarBuilder<'_>, channels: i64) -> Result<Self> {
        Ok(Self {
            weight: vb.param("weight", &[channels], Init::Const(1.))?,
            bias: vb.param("bias", &[channels], Init::Const(0.))?,
        })
    }

    /// `[B, C, T]` to the same shape. The statistics of a recording are those of its first
    /// `lengths` (`[B, 1]`) positions, so that they are the same in any batch; without lengths, of
    /// all.
    pub(super) fn forward(&self, x: &Tensor, lengths: Option<&Tensor>) -> Tensor {
        let (weight, bias) = (&self.weight, &self.bias);
        let Some(lengths) = lengths else {
            return x.group_norm(weight.size()[0], Some(weight), Some(bias), Self::EPS, true);
        };
        let padding = within(lengths, x.size()[2]).logical_not().unsqueeze(1);
        let count = lengths.unsqueeze(-1).to_kind(x.kind());
        let mean = |x: &Tensor| x.sum_dim_intlist([2].as_slice(), true, x.kind()) / &count;
        let x = x.masked_fill(&padding, 0.);
        // In two passes: a mean of squares would lose the digits of a variance that is smaller.
        let centred = (&x - mean(&x)).masked_fill_(&padding, 0.);
        let scale = (mean(&centred.square()) + Self::EPS).rsqrt() * weight.unsqueeze(-1);
        bias.unsqueeze(-1).addcmul(&centred, &scale)
    }

    /// The same in a graph, with lengths; in f32, as sums over thousands of positions are large.
    pub(super) fn onnx(&self, e: &Exporter, x: &Value, lengths: &Value) -> Value {
        let x = x.to(Element::F32);
        let data = within_onnx(lengths, &x.size(2)).unsqueeze(&[1]).to(Element::F32);
        let count = lengths.unsqueeze(&[2]).to(Element::F32);
        let mean = |x: &Value| x.sum(&[2], true) / &count;
        let centred = (&x - mean(&(&x * &data))) * &data;
        let [weight, bias] =
            [&self.weight, &self.bias].map(|tensor| e.parameter(tensor).unsqueeze(&[1]));
        let root = (mean(&(&centred * &centred)) + Self::EPS).sqrt();
        (centred / root).to_float() * weight + bias
    }
}

/// The mask of the first `lengths` (`[B, 1]`) of `count` positions: `[B, count]`, bool.
pub(super) fn within(lengths: &Tensor, count: i64) -> Tensor {
    Tensor::arange(count, (Kind::Int64, lengths.device())).lt_tensor(lengths)
}

/// [`within`] in a graph; both are of i64, `count` is `[1]`.
pub(super) fn within_onnx(lengths: &Value, count: &Value) -> Value {
    count.range().lt(lengths)
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn a_recording_is_normalised_as_it_is_alone() {
        let (channels, float) = (3, (Kind::Float, Device::Cpu));
        let leaf = |mean: f64| (Tensor::rand([channels], float) + mean).set_requires_grad(true);
        let norm = ChannelNorm { weight: leaf(1.), bias: leaf(0.) };
        // A mean that is so large beside the deviation that a mean of squares would be off by 1e-3.
        let x = Tensor::rand([2, channels, 50], float) + 30.;
        let lengths = [50, 20];
        let together = norm.forward(&x, Some(&Tensor::from_slice(&lengths).unsqueeze(1)));
        let part = |x: &Tensor, at: i64, length| x.narrow(0, at, 1).narrow(2, 0, length);
        let (mut loss, mut loss_alone) = (Tensor::from(0f32), Tensor::from(0f32));
        for (at, length) in (0..).zip(lengths) {
            let (got, want) =
                (part(&together, at, length), norm.forward(&part(&x, at, length), None));
            let off = (&got - &want).abs().max().double_value(&[]);
            assert!(off < 2e-4, "recording {at} is off by {off:e}");
            loss += got.square().sum(Kind::Float);
            loss_alone += want.square().sum(Kind::Float);
        }
        assert!(together.isfinite().all().int64_value(&[]) == 1, "padding is finite");
        let leaves = [&norm.weight, &norm.bias];
        let gradients = |loss: Tensor| Tensor::run_backward(&[loss], &leaves, false, false);
        for (got, want) in gradients(loss).iter().zip(gradients(loss_alone)) {
            assert!(got.allclose(&want, 1e-3, 1e-2, false), "{got}, not {want}");
        }
    }
}

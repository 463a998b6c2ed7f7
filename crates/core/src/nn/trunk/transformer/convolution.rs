//! The convolution of a conformer's block (Gulati et al. 2020, §2.2).

use tch::Tensor;
use tch::nn::Init;

use super::config::TransformerConfig;
use super::convolution_config::{ConvolutionConfig, ConvolutionNorm, ConvolutionReach};
use crate::error::Result;
use crate::libtorch::fused;
use crate::nn::exporter::Exporter;
use crate::nn::layers::{Activation, BatchNorm2d, BatchNormStats, Norm};
use crate::onnx::{ConvShape, Value};
use crate::weights::VarBuilder;

#[derive(Debug)]
pub(super) struct Convolution {
    norm: Norm,
    up: Tensor,
    depthwise: Tensor,
    norm_depthwise: DepthwiseNorm,
    down: Tensor,
    activation: Activation,
    /// Zeros before and behind the sequence.
    padding: [i64; 2],
}

#[derive(Debug)]
enum DepthwiseNorm {
    Batch(BatchNorm2d),
    Layer(Norm),
}

impl Convolution {
    /// `norm`, `up.weight [2D, D, 1]`, `depthwise.weight [D, 1, kernel]`, `norm_depthwise` and
    /// `down.weight [D, D, 1]`, below `vb`.
    pub(super) fn new(
        vb: &VarBuilder<'_>,
        c: &TransformerConfig,
        conv: ConvolutionConfig,
    ) -> Result<Self> {
        let width = c.width;
        let weight = |name: &str, shape: [i64; 3]| {
            let stdev = (2. / (shape[1] * shape[2]) as f64).sqrt();
            vb.sub(name).param("weight", &shape, Init::Randn { mean: 0., stdev })
        };
        let norm = |name: &str| Norm::new(&vb.sub(name), c.norm_kind, width, c.eps);
        Ok(Self {
            norm: norm("norm")?,
            up: weight("up", [2 * width, width, 1])?,
            depthwise: weight("depthwise", [width, 1, conv.kernel])?,
            norm_depthwise: match conv.norm {
                ConvolutionNorm::Batch => {
                    DepthwiseNorm::Batch(BatchNorm2d::new(&vb.sub("norm_depthwise"), width)?)
                }
                ConvolutionNorm::Layer => DepthwiseNorm::Layer(norm("norm_depthwise")?),
            },
            down: weight("down", [width, width, 1])?,
            activation: c.activation,
            padding: match conv.reach {
                ConvolutionReach::Centred => [conv.kernel / 2; 2],
                ConvolutionReach::Causal => [conv.kernel - 1, 0],
            },
        })
    }

    pub(super) fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        if let DepthwiseNorm::Batch(norm) = &self.norm_depthwise {
            norm.set_batch_norm_stats(statistics);
        }
    }

    /// `x [B, T, D]` to the same shape. What `mask`, `[B, T]`, says is padding counts as what lies
    /// beyond the sequence: zeros.
    pub(super) fn forward(&self, x: &Tensor, mask: Option<&Tensor>, train: bool) -> Tensor {
        let point = |x: &Tensor, weight: &Tensor| fused::linear(x, &weight.squeeze_dim(-1), None);
        let x = point(&self.norm.forward(x), &self.up).glu(-1);
        let x = match mask {
            Some(mask) => x * mask.unsqueeze(-1),
            None => x,
        };
        let (channels, padded) = (self.depthwise.size()[0], x.transpose(1, 2));
        let padded = padded.constant_pad_nd(self.padding);
        let x = padded.conv1d(&self.depthwise, None::<&Tensor>, 1, 0, 1, channels);
        let x = match &self.norm_depthwise {
            DepthwiseNorm::Batch(norm) => norm.forward(&x, train).transpose(1, 2),
            DepthwiseNorm::Layer(norm) => norm.forward(&x.transpose(1, 2)),
        };
        point(&self.activation.forward(&x), &self.down)
    }

    /// The same in a graph.
    pub(super) fn onnx(&self, e: &Exporter, x: &Value, mask: Option<&Value>) -> Value {
        let point = |x: &Value, weight: &Tensor| x.matmul(&e.transposed(&weight.squeeze_dim(-1)));
        let (channels, x) = (self.depthwise.size()[0], point(&self.norm.onnx(e, x), &self.up));
        let x = x.narrow(2, 0, channels) * x.narrow_from(2, channels).sigmoid();
        let x = match mask {
            Some(mask) => &x * mask.unsqueeze(&[-1]).to(x.element()),
            None => x,
        };
        let shape = ConvShape { strides: &[1], pads: &self.padding, groups: channels };
        let x = x.permute(&[0, 2, 1]).conv(&e.parameter(&self.depthwise), None, &shape);
        let x = match &self.norm_depthwise {
            DepthwiseNorm::Batch(norm) => norm.onnx(e, &x).permute(&[0, 2, 1]),
            DepthwiseNorm::Layer(norm) => norm.onnx(e, &x.permute(&[0, 2, 1])),
        };
        point(&self.activation.onnx(&x), &self.down)
    }
}

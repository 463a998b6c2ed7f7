//! Attention to channels: each is scaled by a number between 0 and 1 that all channels' means tell.

use tch::Tensor;
use tch::nn::Init;

use super::activation::Activation;
use super::conv::{Conv2d, ConvConfig};
use crate::error::Result;
use crate::nn::exporter::{Exporter, GraphMap};
use crate::onnx::{ConvShape, Value};
use crate::weights::VarBuilder;

/// Squeeze-and-excite (Hu et al. 2018): two 1 × 1 convolutions on the means, the second with a gate.
#[derive(Debug)]
pub struct SqueezeExcite {
    down: Conv2d,
    up: Conv2d,
    activation: Activation,
    gate: Activation,
}

impl SqueezeExcite {
    /// Parameters `down` and `up`, each with `weight` and `bias`. `gate` is a sigmoid or what stands
    /// for it.
    pub fn new(
        vb: &VarBuilder<'_>,
        channels: i64,
        squeezed: i64,
        activation: Activation,
        gate: Activation,
    ) -> Result<Self> {
        let conv = |name, shape| {
            let config = ConvConfig { bias: true, ..ConvConfig::new(shape, 1, 1) };
            Conv2d::new(&vb.sub(name), config)
        };
        let (down, up) = (conv("down", (channels, squeezed))?, conv("up", (squeezed, channels))?);
        Ok(Self { down, up, activation, gate })
    }

    /// `[B, channels, H, W]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let squeezed = self.activation.forward(&self.down.forward(&means(x)));
        x * self.gate.forward(&self.up.forward(&squeezed))
    }

    /// The same in a graph.
    pub(crate) fn onnx(&self, e: &Exporter, x: &Value) -> Value {
        let means = GraphMap { x: x.mean(&[2, 3], true), sides: [1, 1] };
        let down = self.down.onnx(e, &means);
        let up = self.up.onnx(e, &down.with(self.activation.onnx(&down.x)));
        x * self.gate.onnx(&up.x)
    }
}

/// Efficient channel attention (Wang et al. 2020): one convolution over neighbouring channels' means.
#[derive(Debug)]
pub(crate) struct ChannelAttention {
    weight: Tensor,
    kernel: i64,
}

impl ChannelAttention {
    /// Parameter `conv.weight [1, 1, kernel]`.
    pub(crate) fn new(vb: &VarBuilder<'_>, kernel: i64) -> Result<Self> {
        let init = Init::Randn { mean: 0., stdev: (1. / kernel as f64).sqrt() };
        Ok(Self { weight: vb.sub("conv").param("weight", &[1, 1, kernel], init)?, kernel })
    }

    /// `[B, C, H, W]` to the same shape.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        let line = means(x).flatten(1, 3).unsqueeze(1);
        let padding = [(self.kernel - 1) / 2];
        let line = line.conv1d(&self.weight, None::<&Tensor>, [1], padding, [1], 1);
        x * line.sigmoid().squeeze_dim(1).unsqueeze(-1).unsqueeze(-1)
    }

    /// The same in a graph.
    pub(crate) fn onnx(&self, e: &Exporter, x: &Value) -> Value {
        let line = x.mean(&[2, 3], true).reshape(&[0, 1, -1]);
        let shape = ConvShape { strides: &[1], pads: &[(self.kernel - 1) / 2; 2], groups: 1 };
        let line = line.conv(&e.parameter(&self.weight), None, &shape);
        x * line.sigmoid().reshape(&[0, -1, 1, 1])
    }
}

/// The mean of each channel: `[B, C, H, W]` to `[B, C, 1, 1]`.
fn means(x: &Tensor) -> Tensor {
    x.mean_dim([2i64, 3].as_slice(), true, None)
}

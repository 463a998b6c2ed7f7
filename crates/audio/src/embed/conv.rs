//! Convolutions over time.

use crosstune_core::{
    Bias, Result, VarBuilder,
    nn::Exporter,
    onnx::{ConvShape, Value},
};
use tch::{Tensor, nn::Init};

/// The geometry of a convolution over time, in positions of its input.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sliding {
    pub(super) kernel: i64,
    pub(super) stride: i64,
    /// Zeros at either end.
    pub(super) padding: i64,
    /// Groups of channels that do not see each other.
    pub(super) groups: i64,
}

impl Sliding {
    /// A kernel without padding, over all channels.
    pub(super) fn new(kernel: i64, stride: i64) -> Self {
        Self { kernel, stride, padding: 0, groups: 1 }
    }
}

/// A convolution over the last dimension.
#[derive(Debug)]
pub(super) struct Conv1d {
    weight: Tensor,
    bias: Option<Tensor>,
    sliding: Sliding,
}

impl Conv1d {
    /// `weight [c_out, c_in / groups, kernel]`, fresh as He et al. (2015) have it, over what comes
    /// in, and `bias [c_out]`, fresh at 0.
    pub(super) fn new(
        vb: &VarBuilder<'_>,
        [c_in, c_out]: [i64; 2],
        sliding: Sliding,
        bias: Bias,
    ) -> Result<Self> {
        let shape = [c_out, c_in / sliding.groups, sliding.kernel];
        let stdev = (2. / (shape[1] * shape[2]) as f64).sqrt();
        Ok(Self {
            weight: vb.param("weight", &shape, Init::Randn { mean: 0., stdev })?,
            bias: match bias {
                Bias::With => Some(vb.param("bias", &[c_out], Init::Const(0.))?),
                Bias::Without => None,
            },
            sliding,
        })
    }

    /// `[B, c_in, T]` to `[B, c_out, T']`.
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        let Sliding { stride, padding, groups, .. } = self.sliding;
        x.conv1d(&self.weight, self.bias.as_ref(), stride, padding, 1, groups)
    }

    /// How many positions come of `lengths` positions that hold data, of each recording; at least
    /// one. For a convolution without padding.
    pub(super) fn positions(&self, lengths: &Tensor) -> Tensor {
        let Sliding { kernel, stride, .. } = self.sliding;
        ((lengths - kernel).divide_scalar_mode(stride, "floor") + 1).clamp_min(1)
    }

    /// [`forward`](Self::forward) in a graph.
    pub(super) fn onnx(&self, e: &Exporter, x: &Value) -> Value {
        let Sliding { stride, padding, groups, .. } = self.sliding;
        let shape = ConvShape { strides: &[stride], pads: &[padding; 2], groups };
        let bias = self.bias.as_ref().map(|bias| e.parameter(bias));
        x.conv(&e.parameter(&self.weight), bias.as_ref(), &shape)
    }

    /// Channels of what it makes.
    pub(super) fn channels(&self) -> i64 {
        self.weight.size()[0]
    }

    /// [`positions`](Self::positions) in a graph.
    pub(super) fn positions_onnx(&self, lengths: &Value) -> Value {
        let Sliding { kernel, stride, .. } = self.sliding;
        // A whole number is divided towards zero, and none is below it here.
        (lengths - kernel as f64).clamp_min(0.) / stride as f64 + 1.
    }
}

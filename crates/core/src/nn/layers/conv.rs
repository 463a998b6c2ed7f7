//! Convolutions.

use tch::nn::Init;
use tch::{Tensor, nn};

use crate::error::Result;
use crate::weights::{Reshape, VarBuilder};

/// A 2-D convolution without a bias: the norm that follows would cancel it.
#[derive(Debug)]
pub struct Conv2d {
    weight: Tensor,
    stride: i64,
    padding: i64,
}

impl Conv2d {
    /// `weight [c_out, c_in, kernel, kernel]`, initialised as in ResNet (He et al. 2015, by
    /// fan-out). The padding is half a kernel: at a stride of 1, feature maps keep their size.
    pub fn new(
        vb: &VarBuilder<'_>,
        c_in: i64,
        c_out: i64,
        kernel: i64,
        stride: i64,
    ) -> Result<Self> {
        Self::reshaped(vb, (c_in, c_out), kernel, stride, &|_| Ok(None))
    }

    /// The same, where `reshape` may bring the source's weight to the wanted shape.
    pub(crate) fn reshaped(
        vb: &VarBuilder<'_>,
        (c_in, c_out): (i64, i64),
        kernel: i64,
        stride: i64,
        reshape: Reshape<'_>,
    ) -> Result<Self> {
        let stdev = (2. / (c_out * kernel * kernel) as f64).sqrt();
        let shape = [c_out, c_in, kernel, kernel];
        let weight = vb.param_reshaped("weight", &shape, reshape, || {
            nn::init(Init::Randn { mean: 0., stdev }, &shape, vb.device())
        })?;
        Ok(Self { weight, stride, padding: kernel / 2 })
    }

    /// `[B, c_in, H, W]` to `[B, c_out, H / stride, W / stride]`, rounded up.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let (stride, padding) = ([self.stride; 2], [self.padding; 2]);
        x.conv2d(&self.weight, None::<Tensor>, stride, padding, [1, 1], 1)
    }
}

//! Squeeze-and-excite (Hu et al. 2018): channels weighted by what all positions have of them.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::activation::Activation;
use super::conv::{Conv2d, ConvConfig};
use crate::error::Result;
use crate::weights::VarBuilder;

/// The shape of a squeeze-and-excite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqueezeConfig {
    /// The width between its two layers.
    pub width: i64,
    /// The activation between them.
    pub activation: Activation,
    /// What makes weights of the second layer's output: a sigmoid, exact or hard.
    pub gate: Activation,
}

impl SqueezeConfig {
    /// ReLU and a sigmoid, as in the paper.
    pub fn new(width: i64) -> Self {
        Self { width, activation: Activation::Relu, gate: Activation::Sigmoid }
    }
}

/// The mean of each channel, two layers, and the channels times what they make of it.
#[derive(Debug)]
pub struct SqueezeExcite {
    reduce: Conv2d,
    expand: Conv2d,
    config: SqueezeConfig,
}

impl SqueezeExcite {
    /// Parameters `reduce.weight [width, channels, 1, 1]`, `reduce.bias [width]`, `expand.weight
    /// [channels, width, 1, 1]` and `expand.bias [channels]`.
    pub fn new(vb: &VarBuilder<'_>, channels: i64, config: SqueezeConfig) -> Result<Self> {
        let layer = |name, c_in, c_out| {
            let conv = ConvConfig { bias: true, ..ConvConfig::new((c_in, c_out), 1, 1) };
            Conv2d::new(&vb.sub(name), conv)
        };
        Ok(Self {
            reduce: layer("reduce", channels, config.width)?,
            expand: layer("expand", config.width, channels)?,
            config,
        })
    }

    /// `[B, channels, H, W]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let mean = x.mean_dim([2i64, 3].as_slice(), true, None);
        let hidden = self.config.activation.forward(&self.reduce.forward(&mean));
        x * self.config.gate.forward(&self.expand.forward(&hidden))
    }
}

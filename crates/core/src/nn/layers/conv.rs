//! Convolutions.

use serde::{Deserialize, Serialize};
use tch::nn::Init;
use tch::{Tensor, nn};

use crate::error::Result;
use crate::nn::exporter::{Exporter, GraphMap};
use crate::onnx::{ConvShape, Value};
use crate::weights::{Reshape, VarBuilder};

/// What is added around a feature map before a convolution or a pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// Half a kernel on every side: at a stride of 1, feature maps keep their size.
    #[default]
    Half,
    /// As much as makes the output's sides the input's by the stride, rounded up; an odd one more
    /// below and to the right (TensorFlow's `SAME`).
    Same,
    /// What that adds where the input's sides are even, whatever they are: transformers'
    /// EfficientNet.
    Even,
    /// Nothing.
    Without,
}

impl Padding {
    /// What stands before and behind a side of `size` positions.
    fn beside(self, size: i64, kernel: i64, stride: i64) -> [i64; 2] {
        match self {
            Self::Half => [kernel / 2; 2],
            Self::Same => {
                let outputs = (size + stride - 1) / stride;
                let all = ((outputs - 1) * stride + kernel - size).max(0);
                [all / 2, all - all / 2]
            }
            Self::Even => {
                let all = (kernel - stride).max(0);
                [all / 2, all - all / 2]
            }
            Self::Without => [0; 2],
        }
    }

    /// `[B, C, H, W]` with zeros around it where a side has more behind than before, and the padding
    /// that is left to the operation, in rows and in columns.
    fn apply(self, x: &Tensor, kernel: i64, stride: i64) -> (Tensor, [i64; 2]) {
        let size = x.size();
        let [rows, columns] = [2, 3].map(|dim| self.beside(size[dim], kernel, stride));
        if rows[0] == rows[1] && columns[0] == columns[1] {
            return (x.shallow_clone(), [rows[0], columns[0]]);
        }
        (x.constant_pad_nd([columns, rows].as_flattened()), [0, 0])
    }

    /// The same as [`with_zeros`](Self::with_zeros), in a graph.
    pub(crate) fn zeros_onnx(self, map: &GraphMap, kernel: i64, stride: i64) -> GraphMap {
        let around = map.sides.map(|side| self.beside(side, kernel, stride));
        let pads = [(2, around[0][0], around[0][1]), (3, around[1][0], around[1][1])];
        let sides = std::array::from_fn(|i| map.sides[i] + around[i][0] + around[i][1]);
        GraphMap { x: map.x.pad(&pads), sides }
    }

    /// `[B, C, H, W]` with all of the zeros around it.
    pub(crate) fn with_zeros(self, x: &Tensor, kernel: i64, stride: i64) -> Tensor {
        let size = x.size();
        let around = [3, 2].map(|dim| self.beside(size[dim], kernel, stride));
        x.constant_pad_nd(around.as_flattened())
    }
}

/// The shape of a convolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ConvConfig {
    /// Input channels.
    pub c_in: i64,
    /// Output channels.
    pub c_out: i64,
    /// The side of the kernel.
    pub kernel: i64,
    /// The stride.
    pub stride: i64,
    /// Groups of channels that do not see each other.
    pub groups: i64,
    /// What is added around the input.
    pub padding: Padding,
    /// Whether it adds a bias; a norm that follows would cancel one.
    pub bias: bool,
    /// The epsilon with which each filter is brought to mean 0 and variance 1 before it is used
    /// (weight standardisation, Qiao et al. 2019); `None`: filters are used as they are.
    pub standardise: Option<f64>,
}

impl ConvConfig {
    /// One group, padded by half a kernel, no bias.
    pub fn new((c_in, c_out): (i64, i64), kernel: i64, stride: i64) -> Self {
        let (padding, bias, standardise) = (Padding::Half, false, None);
        Self { c_in, c_out, kernel, stride, groups: 1, padding, bias, standardise }
    }

    /// One filter for each channel (`groups = c_in = c_out`).
    pub fn depthwise(channels: i64, kernel: i64, stride: i64) -> Self {
        Self { groups: channels, ..Self::new((channels, channels), kernel, stride) }
    }
}

/// A 2-D convolution.
#[derive(Debug)]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    config: ConvConfig,
}

impl Conv2d {
    /// `weight [c_out, c_in / groups, kernel, kernel]`, initialised as in ResNet (He et al. 2015, by
    /// fan-out), and `bias [c_out]`, initialised to 0, where there is one.
    pub fn new(vb: &VarBuilder<'_>, config: ConvConfig) -> Result<Self> {
        Self::reshaped(vb, config, &|_| Ok(None))
    }

    /// The same, where `reshape` may bring the source's weight to the wanted shape.
    pub(crate) fn reshaped(
        vb: &VarBuilder<'_>,
        config: ConvConfig,
        reshape: Reshape<'_>,
    ) -> Result<Self> {
        let ConvConfig { c_in, c_out, kernel, groups, .. } = config;
        let fan_out = c_out / groups * kernel * kernel;
        let stdev = (2. / fan_out as f64).sqrt();
        let shape = [c_out, c_in / groups, kernel, kernel];
        let weight = vb.param_reshaped("weight", &shape, reshape, || {
            nn::init(Init::Randn { mean: 0., stdev }, &shape, vb.device())
        })?;
        let bias = config.bias.then(|| vb.param("bias", &[c_out], Init::Const(0.))).transpose()?;
        Ok(Self { weight, bias, config })
    }

    /// `[B, c_in, H, W]` to `[B, c_out, H', W']`; padded by half an odd kernel or as TensorFlow
    /// does, `H'` is `H / stride`, rounded up.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let &ConvConfig { kernel, stride, groups, padding, .. } = &self.config;
        let (x, padding) = padding.apply(x, kernel, stride);
        let weight = match self.config.standardise {
            Some(eps) => standardised(&self.weight, eps),
            None => self.weight.shallow_clone(),
        };
        x.conv2d(&weight, self.bias.as_ref(), [stride; 2], padding, [1, 1], groups)
    }

    /// The same in a graph.
    pub(crate) fn onnx(&self, e: &Exporter, map: &GraphMap) -> GraphMap {
        let &ConvConfig { kernel, stride, groups, padding, .. } = &self.config;
        let weight = match self.config.standardise {
            Some(eps) => {
                let standardised = tch::no_grad(|| standardised(&self.weight, eps));
                e.derived(&self.weight, "standardised", &standardised)
            }
            None => e.parameter(&self.weight),
        };
        let bias = self.bias.as_ref().map(|bias| e.parameter(bias));
        let [rows, columns] = map.sides.map(|side| padding.beside(side, kernel, stride));
        convolved(map, (&weight, bias.as_ref()), [kernel; 2], [stride; 2], [rows, columns], groups)
    }
}

/// A feature map in a graph through a convolution of these sides and steps, with zeros before and behind
/// each side.
pub(crate) fn convolved(
    map: &GraphMap,
    (weight, bias): (&Value, Option<&Value>),
    kernel: [i64; 2],
    strides: [i64; 2],
    [rows, columns]: [[i64; 2]; 2],
    groups: i64,
) -> GraphMap {
    let pads = &[rows[0], columns[0], rows[1], columns[1]];
    let x = map.x.conv(weight, bias, &ConvShape { strides: &strides, pads, groups });
    let padded = [map.sides[0] + rows[0] + rows[1], map.sides[1] + columns[0] + columns[1]];
    let sides = std::array::from_fn(|i| (padded[i] - kernel[i]) / strides[i] + 1);
    GraphMap { x, sides }
}

/// Filters of mean 0 and variance 1.
fn standardised(filters: &Tensor, eps: f64) -> Tensor {
    let none = None::<&Tensor>;
    let flat = filters.view([1, filters.size()[0], -1]);
    Tensor::batch_norm(&flat, none, none, none, none, true, 0., eps, true).view_as(filters)
}

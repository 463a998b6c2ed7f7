//! A convolution beside the first block (He et al. 2021, DeBERTa v2: n-grams of the input).

use serde::{Deserialize, Serialize};
use tch::Tensor;
use tch::nn::Init;

use crate::error::Result;
use crate::nn::exporter::Exporter;
use crate::nn::layers::{Activation, Norm, NormKind, dropout};
use crate::onnx::{ConvShape, Value};
use crate::weights::VarBuilder;

/// A convolution over the first block's input, which is added to its output and normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputConvolution {
    /// The kernel, in positions; odd.
    pub kernel: i64,
    /// Groups of channels.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub groups: i64,
    /// The activation after it.
    pub activation: Activation,
}

fn one() -> i64 {
    1
}

fn is_one(n: &i64) -> bool {
    *n == 1
}

/// No published kernel is as long.
const LARGEST: i64 = 1 << 12;

impl InputConvolution {
    /// What is wrong with it for hidden states of a width.
    pub(super) fn problem(&self, width: i64) -> Option<String> {
        let Self { kernel, groups, .. } = *self;
        if !(1..=LARGEST).contains(&kernel) || kernel % 2 == 0 {
            Some(format!("a convolution of {kernel} positions: must be odd, and at most {LARGEST}"))
        } else if groups < 1 || width % groups != 0 {
            Some(format!("{groups} groups of a convolution do not divide the width {width}"))
        } else {
            None
        }
    }
}

/// The layer.
#[derive(Debug)]
pub(super) struct InputConv {
    config: InputConvolution,
    weight: Tensor,
    bias: Tensor,
    norm: Norm,
    dropout: f64,
}

impl InputConv {
    /// `weight [D, D / groups, kernel]`, `bias [D]` and `norm`.
    pub(super) fn new(
        vb: &VarBuilder<'_>,
        config: InputConvolution,
        width: i64,
        (kind, eps): (NormKind, f64),
        dropout: f64,
    ) -> Result<Self> {
        let shape = [width, width / config.groups, config.kernel];
        let normal = Init::Randn { mean: 0., stdev: 0.02 };
        Ok(Self {
            config,
            weight: vb.param("weight", &shape, normal)?,
            bias: vb.param("bias", &[width], Init::Const(0.))?,
            norm: Norm::new(&vb.sub("norm"), kind, width, eps)?,
            dropout,
        })
    }

    /// From the block's input and output, both `[B, T, D]`, to the same shape; `padding [B, T]` is
    /// true where there is data.
    pub(super) fn forward(
        &self,
        input: &Tensor,
        output: &Tensor,
        padding: Option<&Tensor>,
        train: bool,
    ) -> Tensor {
        let kept = |x: &Tensor| match padding {
            Some(mask) => x * mask.unsqueeze(-1),
            None => x.shallow_clone(),
        };
        let InputConvolution { kernel, groups, activation } = self.config;
        let x = kept(input).transpose(1, 2);
        let x = x.conv1d(&self.weight, Some(&self.bias), [1], [kernel / 2], [1], groups);
        let x = activation.forward(&dropout(&kept(&x.transpose(1, 2)), self.dropout, train));
        self.norm.forward(&(output + x))
    }

    /// The same in a graph.
    pub(super) fn onnx(
        &self,
        e: &Exporter,
        input: &Value,
        output: &Value,
        padding: Option<&Value>,
    ) -> Value {
        let kept = |x: &Value| match padding {
            Some(mask) => x * mask.unsqueeze(&[-1]).to(x.element()),
            None => x.clone(),
        };
        let InputConvolution { kernel, groups, activation } = self.config;
        let shape = ConvShape { strides: &[1], pads: &[kernel / 2; 2], groups };
        let x = kept(input).permute(&[0, 2, 1]);
        let x = x.conv(&e.parameter(&self.weight), Some(&e.parameter(&self.bias)), &shape);
        let x = activation.onnx(&kept(&x.permute(&[0, 2, 1])));
        self.norm.onnx(e, &(output + x))
    }
}

//! The linear layer.

use serde::{Deserialize, Serialize};
use tch::Tensor;
use tch::nn::Init;

use super::lora::Adapter;
use crate::error::Result;
use crate::libtorch::fused;
use crate::nn::exporter::Exporter;
use crate::onnx::Value;
use crate::weights::{RowParam, VarBuilder};

/// Whether a layer adds a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bias {
    /// It does.
    #[default]
    With,
    /// It does not.
    Without,
}

/// `y = x Wᵀ + b`, plus the output of an adapter where [`Lora`](crate::weights::Lora) asks for one.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<RowParam>,
    adapter: Option<Adapter>,
}

impl Linear {
    /// `weight [d_out, d_in]` and `bias [d_out]`, uniform within `1/√d_in` as in PyTorch (tch's own
    /// default is about 2.45 times wider).
    pub fn new(vb: &VarBuilder<'_>, d_in: i64, d_out: i64) -> Result<Self> {
        let init = uniform(d_in);
        Ok(Self {
            weight: vb.param("weight", &[d_out, d_in], init)?,
            bias: Some(vb.param_by_row("bias", &[d_out], init)?),
            adapter: Adapter::new(vb, d_in, d_out)?,
        })
    }

    /// The same without a bias: `y = x Wᵀ`.
    pub fn unbiased(vb: &VarBuilder<'_>, d_in: i64, d_out: i64) -> Result<Self> {
        Ok(Self {
            weight: vb.param("weight", &[d_out, d_in], uniform(d_in))?,
            bias: None,
            adapter: Adapter::new(vb, d_in, d_out)?,
        })
    }

    /// With or without a bias; where they are new, weights are normally distributed as in BERT and
    /// ViT, with a standard deviation of 0.02, and biases zero.
    pub(crate) fn normal(vb: &VarBuilder<'_>, d_in: i64, d_out: i64, bias: Bias) -> Result<Self> {
        let init = Init::Randn { mean: 0., stdev: 0.02 };
        Ok(Self {
            weight: vb.param("weight", &[d_out, d_in], init)?,
            bias: match bias {
                Bias::With => Some(vb.param_by_row("bias", &[d_out], Init::Const(0.))?),
                Bias::Without => None,
            },
            adapter: Adapter::new(vb, d_in, d_out)?,
        })
    }

    /// Overwrites the weight.
    pub(crate) fn set_weight(&self, weight: &Tensor) {
        tch::no_grad(|| self.weight.shallow_clone().copy_(weight));
    }

    /// The device of the parameters.
    pub fn device(&self) -> tch::Device {
        self.weight.device()
    }

    /// `[…, d_in]` to `[…, d_out]`, as in prediction: nothing is dropped.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_t(x, false)
    }

    /// The same; `train` turns on an adapter's dropout.
    pub fn forward_t(&self, x: &Tensor, train: bool) -> Tensor {
        let y = fused::linear(x, &self.weight, self.bias.as_ref().and_then(RowParam::same));
        let y = match &self.bias {
            Some(bias @ RowParam::ByRow(_)) => &y + bias.of(x).to_kind(y.kind()),
            _ => y,
        };
        match &self.adapter {
            None => y,
            Some(adapter) => y + adapter.forward(x, train),
        }
    }

    /// The same in a graph.
    pub fn onnx(&self, e: &Exporter, x: &Value) -> Value {
        let y = x.matmul(&e.transposed(&self.weight));
        let y = match &self.bias {
            Some(bias) => y + e.parameter(bias.only()),
            None => y,
        };
        match &self.adapter {
            None => y,
            Some(adapter) => y + adapter.onnx(e, x),
        }
    }

    /// The length of what it takes, `d_in`.
    pub fn inputs(&self) -> i64 {
        self.weight.size()[1]
    }

    /// The length of what it makes, `d_out`.
    pub(crate) fn outputs(&self) -> i64 {
        self.weight.size()[0]
    }
}

/// The bounds of PyTorch's default initialisation for `fan_in` inputs.
fn uniform(fan_in: i64) -> Init {
    let bound = (fan_in as f64).sqrt().recip();
    Init::Uniform { lo: -bound, up: bound }
}

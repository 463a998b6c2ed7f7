//! The linear layer.

use tch::Tensor;
use tch::nn::Init;

use super::lora::Adapter;
use crate::error::Result;
use crate::weights::VarBuilder;

/// `y = x Wᵀ + b`, plus the output of an adapter where [`Lora`](crate::weights::Lora) asks for one.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
    adapter: Option<Adapter>,
}

impl Linear {
    /// `weight [d_out, d_in]` and `bias [d_out]`, uniform within `1/√d_in` as in PyTorch (tch's own
    /// default is about 2.45 times wider).
    pub fn new(vb: &VarBuilder<'_>, d_in: i64, d_out: i64) -> Result<Self> {
        let init = uniform(d_in);
        Ok(Self {
            weight: vb.param("weight", &[d_out, d_in], init)?,
            bias: Some(vb.param("bias", &[d_out], init)?),
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

    /// The same with normally distributed weights and zero biases where they are new.
    pub(crate) fn normal(vb: &VarBuilder<'_>, d_in: i64, d_out: i64, stdev: f64) -> Result<Self> {
        Ok(Self {
            weight: vb.param("weight", &[d_out, d_in], Init::Randn { mean: 0., stdev })?,
            bias: Some(vb.param("bias", &[d_out], Init::Const(0.))?),
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
        let y = x.linear(&self.weight, self.bias.as_ref());
        match &self.adapter {
            None => y,
            Some(adapter) => y + adapter.forward(x, train),
        }
    }
}

/// The bounds of PyTorch's default initialisation for `fan_in` inputs.
fn uniform(fan_in: i64) -> Init {
    let bound = (fan_in as f64).sqrt().recip();
    Init::Uniform { lo: -bound, up: bound }
}

/// The standard deviation of new weights, as BERT and ViT are initialised.
pub(crate) const INIT: f64 = 0.02;

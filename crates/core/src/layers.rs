//! The layers that trunks, embedders and heads are made of, each initialised as PyTorch does it.

use tch::{Tensor, nn::Init};

use crate::{Result, Scope};

/// `y = x Wᵀ + b`.
#[derive(Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    /// `weight [d_out, d_in]` and `bias [d_out]`, uniform within `1/√d_in` as in PyTorch (tch's own
    /// default is about 2.45 times wider).
    pub fn new(at: &Scope<'_>, d_in: i64, d_out: i64) -> Result<Self> {
        let bound = (d_in as f64).sqrt().recip();
        Self::with(at, d_in, d_out, Init::Uniform { lo: -bound, up: bound })
    }

    /// The same with an initialisation for the weight and zero for the bias when they are fresh.
    pub(crate) fn normal(at: &Scope<'_>, d_in: i64, d_out: i64, stdev: f64) -> Result<Self> {
        Ok(Self {
            weight: at.param("weight", &[d_out, d_in], Init::Randn { mean: 0., stdev })?,
            bias: at.param("bias", &[d_out], Init::Const(0.))?,
        })
    }

    fn with(at: &Scope<'_>, d_in: i64, d_out: i64, init: Init) -> Result<Self> {
        Ok(Self {
            weight: at.param("weight", &[d_out, d_in], init)?,
            bias: at.param("bias", &[d_out], init)?,
        })
    }

    /// The device that the parameters live on.
    pub fn device(&self) -> tch::Device {
        self.weight.device()
    }

    /// `[…, d_in]` to `[…, d_out]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}

/// Layer normalisation over the last dimension (Ba et al. 2016).
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// `weight [width]`, fresh at 1, and `bias [width]`, fresh at 0.
    pub fn new(at: &Scope<'_>, width: i64, eps: f64) -> Result<Self> {
        Ok(Self {
            weight: at.param("weight", &[width], Init::Const(1.))?,
            bias: at.param("bias", &[width], Init::Const(0.))?,
            eps,
        })
    }

    /// `[…, width]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), self.eps, true)
    }
}

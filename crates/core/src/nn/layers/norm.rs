//! Norms.

use serde::{Deserialize, Serialize};
use tch::Tensor;
use tch::nn::Init;

use crate::error::Result;
use crate::weights::VarBuilder;

/// Layer normalisation over the last dimension (Ba et al. 2016).
#[derive(Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// `weight [width]`, initialised to 1, and `bias [width]`, initialised to 0.
    pub fn new(vb: &VarBuilder<'_>, width: i64, eps: f64) -> Result<Self> {
        Ok(Self {
            weight: vb.param("weight", &[width], Init::Const(1.))?,
            bias: vb.param("bias", &[width], Init::Const(0.))?,
            eps,
        })
    }

    /// `[…, width]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), self.eps, true)
    }
}

/// What is wrong with the epsilon of a norm: it must be a number above 0.
pub(crate) fn eps_problem(eps: f64) -> Option<String> {
    let fits = eps > 0. && eps.is_finite();
    (!fits).then(|| format!("eps {eps}: must be above 0"))
}

/// Where a block has its norms (Xiong et al. 2020).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NormPlacement {
    /// Before attention and MLP, and once more at the end (pre-norm): ViT, GPT-2, Whisper.
    #[serde(alias = "before")]
    Pre,
    /// After the residual sum (post-norm): BERT.
    #[serde(alias = "after")]
    Post,
}

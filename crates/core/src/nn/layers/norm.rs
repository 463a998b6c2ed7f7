//! Norms.

use serde::{Deserialize, Serialize};
use tch::Tensor;
use tch::nn::Init;

use crate::error::Result;
use crate::nn::exporter::Exporter;
use crate::onnx::Value;
use crate::weights::{RowParam, VarBuilder};

/// Layer normalisation over the last dimension (Ba et al. 2016).
#[derive(Debug)]
pub struct LayerNorm(Norm);

impl LayerNorm {
    /// `weight [width]`, initialised to 1, and `bias [width]`, initialised to 0.
    pub fn new(vb: &VarBuilder<'_>, width: i64, eps: f64) -> Result<Self> {
        Norm::new(vb, NormKind::LayerNorm, width, eps).map(Self)
    }

    /// `[…, width]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        self.0.forward(x)
    }

    /// The same in a graph.
    pub fn onnx(&self, e: &Exporter, x: &Value) -> Value {
        self.0.onnx(e, x)
    }
}

/// What a transformer's norms compute, over the last dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NormKind {
    /// Layer normalisation (Ba et al. 2016).
    #[default]
    LayerNorm,
    /// The same without a bias: ModernBERT.
    LayerNormUnbiased,
    /// Division by the root of the mean square, times the weight (Zhang and Sennrich 2019): Llama.
    RmsNorm,
    /// The same, times `1 +` the weight: Gemma.
    RmsNormPlusOne,
}

/// Whether there is a norm ahead of the last layer of a branch, too (Wang et al. 2022, *Foundation
/// Transformers*, §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubNorm {
    /// There is not.
    #[default]
    Without,
    /// In the MLP: EVA-02.
    Mlp,
    /// In attention and in the MLP: EVA-02's CLIP.
    AttentionAndMlp,
}

/// A norm of any kind.
#[derive(Debug)]
pub struct Norm {
    kind: NormKind,
    width: i64,
    weight: RowParam,
    bias: Option<RowParam>,
    eps: f64,
}

impl Norm {
    /// `weight [width]` and, for a layer norm with one, `bias [width]`, which change nothing where
    /// they are new.
    pub fn new(vb: &VarBuilder<'_>, kind: NormKind, width: i64, eps: f64) -> Result<Self> {
        let neutral = if kind == NormKind::RmsNormPlusOne { 0. } else { 1. };
        let bias = match kind {
            NormKind::LayerNorm => Some(vb.param_by_row("bias", &[width], Init::Const(0.))?),
            _ => None,
        };
        let weight = vb.param_by_row("weight", &[width], Init::Const(neutral))?;
        Ok(Self { kind, width, weight, bias, eps })
    }

    /// `[…, width]` to the same shape.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        match (&self.weight, &self.bias) {
            (RowParam::Same(weight), None) => self.normalised(x, Some(weight), None),
            (RowParam::Same(weight), Some(RowParam::Same(bias))) => {
                self.normalised(x, Some(weight), Some(bias))
            }
            (weight, bias) => {
                let weight = match self.kind {
                    NormKind::RmsNormPlusOne => weight.of(x) + 1.,
                    _ => weight.of(x),
                };
                let normalised = self.normalised(x, None, None);
                let y = &normalised * weight;
                let y = bias.as_ref().map(|bias| &y + bias.of(x)).unwrap_or(y);
                y.to_kind(normalised.kind())
            }
        }
    }

    /// Normalised, times a weight and plus a bias.
    fn normalised(&self, x: &Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>) -> Tensor {
        let width = [self.width];
        match self.kind {
            NormKind::LayerNorm | NormKind::LayerNormUnbiased => {
                x.layer_norm(width, weight, bias, self.eps, true)
            }
            NormKind::RmsNorm => x.rms_norm(width, weight, self.eps),
            NormKind::RmsNormPlusOne => {
                x.rms_norm(width, weight.map(|weight| weight + 1.).as_ref(), self.eps)
            }
        }
    }

    /// The same in a graph.
    pub fn onnx(&self, e: &Exporter, x: &Value) -> Value {
        let weight = e.parameter(self.weight.only());
        match self.kind {
            NormKind::LayerNorm | NormKind::LayerNormUnbiased => {
                let bias = self.bias.as_ref().map(|bias| e.parameter(bias.only()));
                x.layer_norm(&weight, bias.as_ref(), self.eps)
            }
            NormKind::RmsNorm => x.rms_norm(self.eps) * weight,
            NormKind::RmsNormPlusOne => x.rms_norm(self.eps) * (weight + 1.),
        }
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
    /// Before attention and MLP and also after them, ahead of the residual sum, and once more at the
    /// end (Ding et al. 2021, CogView): Gemma 2 and 3.
    Sandwich,
}

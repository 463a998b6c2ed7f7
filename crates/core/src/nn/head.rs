//! Heads: from one vector per sample to logits.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::defaults::is_default;
use super::exporter::Exporter;
use super::layer_mix::LayerMix;
use super::layers::{Activation, Bias, LayerNorm, Linear, Norm, NormKind, eps_problem};
use crate::error::{Error, Result};
use crate::onnx::Value;
use crate::weights::VarBuilder;

/// The layers between a pooled vector and the logits. By default a head is one linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadConfig {
    /// The epsilon of a layer norm before everything else: AST.
    pub norm: Option<f64>,
    /// A hidden layer.
    pub dense: Option<Dense>,
    /// Whether the last layer adds a bias.
    #[serde(default)]
    pub bias: Bias,
    /// Whether the hidden layer adds a bias.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dense_bias: Bias,
    /// A norm behind the hidden layer's activation: ModernBERT.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dense_norm: Option<DenseNorm>,
}

impl HeadConfig {
    /// Checks all numbers, before anything is built.
    ///
    /// # Errors
    /// Names the first that cannot be.
    pub(crate) fn validate(&self) -> Result<()> {
        let width = self.dense.map(|dense| dense.width).filter(|width| *width < 1);
        let width = width.map(|width| format!("dense: width {width}: must be at least 1"));
        let behind = self.dense_norm.map(|norm| norm.eps);
        let problem = [self.norm, behind].into_iter().flatten().find_map(eps_problem).or(width);
        problem.map_or(Ok(()), |problem| Err(Error::setting("head", problem)))
    }
}

/// A hidden layer of a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    /// The width of its output.
    pub width: i64,
    /// The activation after it.
    pub activation: Activation,
}

/// A norm behind the hidden layer of a head.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenseNorm {
    /// What it computes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kind: NormKind,
    /// Its epsilon.
    pub eps: f64,
}

/// The top of a classifier.
#[derive(Debug)]
pub struct Head {
    mix: Option<LayerMix>,
    norm: Option<LayerNorm>,
    dense: Option<(Linear, Activation)>,
    dense_norm: Option<Norm>,
    out: Linear,
}

impl Head {
    /// Parameters `norm.{weight,bias}`, `dense.{weight,bias}` and `norm_dense.{weight,bias}` where
    /// there are such layers, and `weight [classes, D]` and, unless it does without, `bias [classes]`, below `vb`.
    ///
    /// # Errors
    /// If the source of `vb` lacks a tensor or has it in another shape.
    pub fn new(
        vb: &VarBuilder<'_>,
        config: HeadConfig,
        width: i64,
        classes: usize,
    ) -> Result<Self> {
        let norm =
            config.norm.map(|eps| LayerNorm::new(&vb.sub("norm"), width, eps)).transpose()?;
        let dense = match config.dense {
            Some(dense) => {
                let vb = vb.sub("dense");
                let linear = match config.dense_bias {
                    Bias::With => Linear::new(&vb, width, dense.width)?,
                    Bias::Without => Linear::unbiased(&vb, width, dense.width)?,
                };
                Some((linear, dense.activation))
            }
            None => None,
        };
        let dense_norm = match (config.dense, config.dense_norm) {
            (Some(dense), Some(norm)) => {
                Some(Norm::new(&vb.sub("norm_dense"), norm.kind, dense.width, norm.eps)?)
            }
            _ => None,
        };
        let width = config.dense.map_or(width, |dense| dense.width);
        let out = match config.bias {
            Bias::With => Linear::new(vb, width, classes as i64)?,
            Bias::Without => Linear::unbiased(vb, width, classes as i64)?,
        };
        Ok(Self { mix: None, norm, dense, dense_norm, out })
    }

    /// The same over several hidden states, where [`Encoder::layers`](super::encoder::Encoder::layers)
    /// says so: `layer_weights [layers]` below `vb`, by which they are summed before all else.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn over_layers(self, vb: &VarBuilder<'_>, layers: Option<i64>) -> Result<Self> {
        let mix = layers.map(|layers| LayerMix::new(vb, layers)).transpose()?;
        Ok(Self { mix, ..self })
    }

    /// The device of the parameters.
    pub fn device(&self) -> tch::Device {
        self.out.device()
    }

    /// What an encoder makes, `[B, D]` or, over several hidden states, `[B, L, D]`, as one vector each,
    /// `[B, D]`.
    pub fn mixed(&self, x: &Tensor) -> Tensor {
        self.mix.as_ref().map_or_else(|| x.shallow_clone(), |mix| mix.forward(x))
    }

    /// `[B, D]`, or `[B, L, D]` over several hidden states, to logits `[B, classes]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let x = &self.mixed(x);
        let normed = self.norm.as_ref().map(|norm| norm.forward(x));
        let x = normed.as_ref().unwrap_or(x);
        match &self.dense {
            None => self.out.forward(x),
            Some((dense, activation)) => {
                let hidden = activation.forward(&dense.forward(x));
                let normed = self.dense_norm.as_ref().map(|norm| norm.forward(&hidden));
                self.out.forward(normed.as_ref().unwrap_or(&hidden))
            }
        }
    }
    /// The same in a graph.
    pub(super) fn onnx(&self, e: &Exporter, x: &Value) -> Value {
        let x = self.mix.as_ref().map_or_else(|| x.clone(), |mix| mix.onnx(e, x));
        let x = self.norm.as_ref().map(|norm| norm.onnx(e, &x)).unwrap_or(x);
        let Some((dense, activation)) = &self.dense else { return self.out.onnx(e, &x) };
        let hidden = activation.onnx(&dense.onnx(e, &x));
        let normed = self.dense_norm.as_ref().map(|norm| norm.onnx(e, &hidden));
        self.out.onnx(e, normed.as_ref().unwrap_or(&hidden))
    }
}

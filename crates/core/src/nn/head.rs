//! Heads: from one vector per sample to logits.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::layer_mix::LayerMix;
use super::layers::{Activation, Bias, LayerNorm, Linear, eps_problem};
use crate::error::{Error, Result};
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
}

impl HeadConfig {
    /// Checks all numbers, before anything is built.
    ///
    /// # Errors
    /// Names the first that cannot be.
    pub(crate) fn validate(&self) -> Result<()> {
        let width = self.dense.map(|dense| dense.width).filter(|width| *width < 1);
        let width = width.map(|width| format!("dense: width {width}: must be at least 1"));
        let problem = self.norm.and_then(eps_problem).or(width);
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

/// The top of a classifier.
#[derive(Debug)]
pub struct Head {
    mix: Option<LayerMix>,
    norm: Option<LayerNorm>,
    dense: Option<(Linear, Activation)>,
    out: Linear,
}

impl Head {
    /// Parameters `norm.{weight,bias}` and `dense.{weight,bias}` where there are such layers, and
    /// `weight [classes, D]` and, unless it does without, `bias [classes]`, below `vb`.
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
                Some((Linear::new(&vb.sub("dense"), width, dense.width)?, dense.activation))
            }
            None => None,
        };
        let width = config.dense.map_or(width, |dense| dense.width);
        let out = match config.bias {
            Bias::With => Linear::new(vb, width, classes as i64)?,
            Bias::Without => Linear::unbiased(vb, width, classes as i64)?,
        };
        Ok(Self { mix: None, norm, dense, out })
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
                let hidden = dense.forward(x);
                self.out.forward(&activation.forward(&hidden))
            }
        }
    }
}

//! The norms of feature maps.

use serde::{Deserialize, Serialize};
use tch::Tensor;
use tch::nn::Init;

use super::batch_norm::{BatchNorm2d, BatchNormStats};
use super::conv::{Conv2d, ConvConfig};
use super::norm::eps_problem;
use crate::error::Result;
use crate::nn::exporter::{Exporter, GraphMap};
use crate::onnx::Value;
use crate::weights::{Reshape, VarBuilder};

/// Over what a feature map is normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MapNormKind {
    /// Each channel over the batch and all positions (Ioffe and Szegedy 2015).
    #[default]
    Batch,
    /// Each of so many groups of channels over all positions (Wu and He 2018).
    Group(i64),
    /// Each position over its channels (ConvNeXt, Liu et al. 2022, §2.6).
    Channels,
    /// Not at all.
    Without,
}

/// A norm of feature maps. Written as its kind alone where the numbers are the usual.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct NormConfig {
    /// Over what it normalises.
    pub kind: MapNormKind,
    /// The epsilon.
    pub eps: f64,
    /// The share of a batch in the running statistics of batch norms.
    pub momentum: f64,
}

/// How a [`NormConfig`] is written.
#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a norm as batch, {\"group\": N}, channels or without, or as {\"kind\", \
                 \"eps\", \"momentum\"}"
)]
enum Written {
    Usual(MapNormKind),
    Whole { kind: MapNormKind, eps: f64, momentum: f64 },
}

impl Default for NormConfig {
    fn default() -> Self {
        Self { kind: MapNormKind::Batch, eps: 1e-5, momentum: 0.1 }
    }
}

impl NormConfig {
    /// A norm of this kind with the usual numbers.
    pub fn of(kind: MapNormKind) -> Self {
        Self { kind, ..Self::default() }
    }

    pub(crate) fn is_usual(&self) -> bool {
        *self == Self::default()
    }

    /// What cannot be for one of the numbers of channels.
    pub(crate) fn problem(&self, channels: impl IntoIterator<Item = i64>) -> Option<String> {
        if let Some(problem) = eps_problem(self.eps) {
            return Some(format!("norm: {problem}"));
        }
        if !(0.0..=1.0).contains(&self.momentum) {
            return Some(format!("norm: momentum {}: must be within 0 and 1", self.momentum));
        }
        let MapNormKind::Group(groups) = self.kind else { return None };
        let divides = |channels: i64| groups > 0 && channels % groups == 0;
        let other = channels.into_iter().find(|&channels| !divides(channels))?;
        Some(format!("norm: {groups} groups do not divide {other} channels"))
    }
}

impl From<Written> for NormConfig {
    fn from(written: Written) -> Self {
        match written {
            Written::Usual(kind) => Self::of(kind),
            Written::Whole { kind, eps, momentum } => Self { kind, eps, momentum },
        }
    }
}

impl From<NormConfig> for Written {
    fn from(config: NormConfig) -> Self {
        let NormConfig { kind, eps, momentum } = config;
        match config == NormConfig::of(kind) {
            true => Self::Usual(kind),
            false => Self::Whole { kind, eps, momentum },
        }
    }
}

/// A norm of feature maps `[B, C, H, W]`.
#[derive(Debug)]
pub enum MapNorm {
    /// Over the batch and all positions.
    Batch(BatchNorm2d),
    /// Over groups of channels and all positions.
    Group {
        /// Parameters, each `[C]`.
        affine: [Tensor; 2],
        /// The number of groups.
        groups: i64,
        /// The epsilon.
        eps: f64,
    },
    /// Over each position's channels.
    Channels {
        /// Parameters, each `[C]`.
        affine: [Tensor; 2],
        /// The epsilon.
        eps: f64,
    },
    /// None.
    Without,
}

impl MapNorm {
    /// Parameters `weight` and `bias`, for batch norms also buffers `running_mean` and
    /// `running_var`, each `[channels]`.
    pub fn new(vb: &VarBuilder<'_>, channels: i64, config: &NormConfig) -> Result<Self> {
        let &NormConfig { kind, eps, momentum } = config;
        let affine = || -> Result<[Tensor; 2]> {
            Ok([
                vb.param("weight", &[channels], Init::Const(1.))?,
                vb.param("bias", &[channels], Init::Const(0.))?,
            ])
        };
        Ok(match kind {
            MapNormKind::Batch => Self::Batch(BatchNorm2d::with(vb, channels, eps, momentum)?),
            MapNormKind::Group(groups) => Self::Group { affine: affine()?, groups, eps },
            MapNormKind::Channels => Self::Channels { affine: affine()?, eps },
            MapNormKind::Without => Self::Without,
        })
    }

    /// `[B, C, H, W]` to the same shape; in training, batch norms whose statistics are updated
    /// normalise by the batch's.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        match self {
            Self::Batch(norm) => norm.forward(x, train),
            Self::Group { affine: [weight, bias], groups, eps } => {
                x.group_norm(*groups, Some(weight), Some(bias), *eps, true)
            }
            Self::Channels { affine: [weight, bias], eps } => x
                .permute([0, 2, 3, 1])
                .layer_norm(weight.size(), Some(weight), Some(bias), *eps, true)
                .permute([0, 3, 1, 2]),
            Self::Without => x.shallow_clone(),
        }
    }

    /// The same in a graph.
    pub(crate) fn onnx(&self, e: &Exporter, x: &Value) -> Value {
        let affine = |affine: &[Tensor; 2]| affine.each_ref().map(|tensor| e.parameter(tensor));
        match self {
            Self::Batch(norm) => norm.onnx(e, x),
            Self::Group { affine: parameters, groups, eps } => {
                let [weight, bias] = affine(parameters);
                x.group_norm(*groups, &weight, &bias, *eps)
            }
            Self::Channels { affine: parameters, eps } => {
                let [weight, bias] = affine(parameters);
                let x = x.permute(&[0, 2, 3, 1]).layer_norm(&weight, Some(&bias), *eps);
                x.permute(&[0, 3, 1, 2])
            }
            Self::Without => x.clone(),
        }
    }

    /// Sets the running statistics, where there are any, to those of feature maps `[B, C, H, W]`.
    pub(crate) fn measure(&self, x: &Tensor) {
        if let Self::Batch(norm) = self {
            norm.measure(x);
        }
    }

    /// Decides whether running statistics are updated, where there are any.
    pub fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        if let Self::Batch(norm) = self {
            norm.set_batch_norm_stats(statistics);
        }
    }
}

/// A convolution with its norm.
#[derive(Debug)]
pub struct ConvNorm {
    /// The convolution.
    pub conv: Conv2d,
    /// The norm behind it.
    pub norm: MapNorm,
}

impl ConvNorm {
    /// `names` are those of the convolution and of the norm.
    pub fn new(
        vb: &VarBuilder<'_>,
        names: [&str; 2],
        conv: ConvConfig,
        norm: &NormConfig,
    ) -> Result<Self> {
        Self::reshaped(vb, names, conv, norm, &|_| Ok(None))
    }

    /// The same, where `reshape` may bring the source's kernel to the wanted shape.
    pub(crate) fn reshaped(
        vb: &VarBuilder<'_>,
        names: [&str; 2],
        conv: ConvConfig,
        norm: &NormConfig,
        reshape: Reshape<'_>,
    ) -> Result<Self> {
        Ok(Self {
            conv: Conv2d::reshaped(&vb.sub(names[0]), conv, reshape)?,
            norm: MapNorm::new(&vb.sub(names[1]), conv.c_out, norm)?,
        })
    }

    /// `[B, c_in, H, W]` to `[B, c_out, H', W']`.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        self.norm.forward(&self.conv.forward(x), train)
    }

    /// The same in a graph.
    pub(crate) fn onnx(&self, e: &Exporter, map: &GraphMap) -> GraphMap {
        let map = self.conv.onnx(e, map);
        map.with(self.norm.onnx(e, &map.x))
    }
}

//! Activations.

use serde::{Deserialize, Deserializer, Serialize};
use tch::Tensor;

use crate::onnx::Value;

/// What follows a linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `x`: the projector in the heads of wav2vec2 and Whisper. Those average after it, which is
    /// the same, as it is linear.
    #[serde(alias = "without")]
    Identity,
    /// `max(x, 0)`.
    Relu,
    /// The hyperbolic tangent: the poolers of BERT and RoBERTa.
    Tanh,
    /// `x Φ(x)` (Hendrycks and Gimpel 2016).
    Gelu,
    /// GELU by the approximation with `tanh`.
    GeluTanh,
    /// GELU by the approximation `x σ(1.702 x)`: CLIP.
    QuickGelu,
    /// `x σ(x)` (Elfwing et al. 2018), also called swish.
    Silu,
    /// `min(max(x, 0), 6)`: MobileNet v2.
    Relu6,
    /// `x · min(max(x + 3, 0), 6) / 6`: MobileNet v3 (Howard et al. 2019, §5.2).
    HardSwish,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `min(max(x + 3, 0), 6) / 6`: the gates of MobileNet v3.
    HardSigmoid,
}

impl Activation {
    /// `[…]` to `[…]`.
    pub fn forward(self, x: &Tensor) -> Tensor {
        match self {
            Self::Identity => x.shallow_clone(),
            Self::Relu => x.relu(),
            Self::Tanh => x.tanh(),
            Self::Gelu => x.gelu("none"),
            Self::GeluTanh => x.gelu("tanh"),
            Self::QuickGelu => x * (x * 1.702).sigmoid(),
            Self::Silu => x.silu(),
            Self::Relu6 => x.clamp(0., 6.),
            Self::HardSwish => x.hardswish(),
            Self::Sigmoid => x.sigmoid(),
            Self::HardSigmoid => x.hardsigmoid(),
        }
    }

    /// The same in a graph.
    pub(crate) fn onnx(self, x: &Value) -> Value {
        match self {
            Self::Identity => x.clone(),
            Self::Relu => x.relu(),
            Self::Tanh => x.tanh(),
            Self::Gelu => x.gelu("none"),
            Self::GeluTanh => x.gelu("tanh"),
            Self::QuickGelu => x * (x * 1.702).sigmoid(),
            Self::Silu => x * x.sigmoid(),
            Self::Relu6 => x.clamp(0., 6.),
            Self::HardSwish => x.hardswish(),
            Self::Sigmoid => x.sigmoid(),
            Self::HardSigmoid => x.hardsigmoid(),
        }
    }

    /// The activation of an MLP, also as specifications of format 1 write it: there it was a GELU,
    /// `exact` or by `tanh`.
    pub(crate) fn of_mlp<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        enum Written {
            Identity,
            Relu,
            #[serde(alias = "exact")]
            Gelu,
            #[serde(alias = "tanh")]
            GeluTanh,
            QuickGelu,
            Silu,
        }
        Ok(match Written::deserialize(from)? {
            Written::Identity => Self::Identity,
            Written::Relu => Self::Relu,
            Written::Gelu => Self::Gelu,
            Written::GeluTanh => Self::GeluTanh,
            Written::QuickGelu => Self::QuickGelu,
            Written::Silu => Self::Silu,
        })
    }
}

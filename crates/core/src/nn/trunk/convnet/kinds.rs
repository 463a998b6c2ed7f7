//! What the blocks of mobile networks and of ConvNeXt are built from.

use serde::{Deserialize, Serialize};

use crate::nn::layers::{Activation, Padding};
use crate::nn::trunk::transformer::LayerScale;

/// Which convolutions a block has, each normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InvertedForm {
    /// A 1 × 1 convolution to the inner channels, a depthwise one, and a 1 × 1 one to the output
    /// (MBConv).
    Inverted,
    /// A depthwise convolution and a 1 × 1 one.
    Separable,
    /// A full convolution to the inner channels, and a 1 × 1 one to the output (FusedMBConv).
    Fused,
    /// One full convolution.
    Plain,
}

/// The shape of a squeeze-and-excite (Hu et al. 2018).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqueezeConfig {
    /// The width between its two layers.
    pub width: i64,
    /// The activation between them.
    pub activation: Activation,
    /// What makes factors of the second layer's output: a sigmoid, exact or hard.
    pub gate: Activation,
}

/// Whether a block's input is added to its output, where the two have one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Skip {
    /// It is.
    #[default]
    Added,
    /// It is not.
    Without,
}

/// The shape of a block of MobileNets and EfficientNets. Its activation follows every convolution but the last, and that of a plain
/// block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvertedConfig {
    /// Its convolutions.
    pub form: InvertedForm,
    /// The channels before the last convolution; they matter where another one makes them.
    pub inner: i64,
    /// The side of the depthwise or full convolution's kernel.
    pub kernel: i64,
    /// What that convolution adds around its input.
    #[serde(default, skip_serializing_if = "is_default")]
    pub padding: Padding,
    /// The activation.
    pub activation: Activation,
    /// The squeeze-and-excite ahead of the last convolution.
    #[serde(default, skip_serializing_if = "is_default")]
    pub squeeze: Option<SqueezeConfig>,
    /// Whether the input is added.
    #[serde(default, skip_serializing_if = "is_default")]
    pub skip: Skip,
}

impl InvertedConfig {
    /// What cannot be.
    pub(super) fn problem(&self) -> Option<String> {
        let squeezed = self.squeeze.map(|squeeze| ("squeeze", squeeze.width));
        let counts = [("inner", self.inner), ("kernel", self.kernel)];
        out_of_range(counts.into_iter().chain(squeezed))
    }
}

/// Whether an MLP's hidden channels are normalised by their share of the response at all positions
/// (GRN, Woo et al. 2023, §3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResponseNorm {
    /// They are not: ConvNeXt.
    #[default]
    Without,
    /// By learned weights: ConvNeXt v2.
    Learned,
}

/// The shape of a ConvNeXt block (Liu et al. 2022).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvNextConfig {
    /// The hidden width of the MLP.
    pub mlp: i64,
    /// The side of the depthwise kernel.
    pub kernel: i64,
    /// The activation in the MLP.
    pub activation: Activation,
    /// Whether the MLP normalises responses.
    #[serde(default)]
    pub response_norm: ResponseNorm,
    /// Whether the residual branch is scaled per channel.
    #[serde(default)]
    pub layer_scale: LayerScale,
}

impl ConvNextConfig {
    /// What cannot be.
    pub(super) fn problem(&self) -> Option<String> {
        let counts = [("mlp", self.mlp), ("kernel", self.kernel)];
        out_of_range(counts)
    }
}

/// What is below 1, or above all that networks have, so that products stay numbers.
fn out_of_range(counts: impl IntoIterator<Item = (&'static str, i64)>) -> Option<String> {
    const MOST: i64 = 1 << 20;
    let mut counts = counts.into_iter();
    let (name, n) = counts.find(|(_, n)| !(1..=MOST).contains(n))?;
    Some(format!("{name} {n}: must be at least 1 and at most {MOST}"))
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

//! Inverted residuals and their kin: the blocks of MobileNets (Howard et al. 2017, Sandler et al. 2018,
//! Howard et al. 2019) and of EfficientNets (Tan and Le 2019 and 2021).

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::config::BlockShape;
use super::squeeze::{Squeeze, SqueezeConfig};
use crate::error::Result;
use crate::nn::layers::dropout::drop_path;
use crate::nn::layers::{Activation, BatchNormStats, ConvConfig, ConvNorm, Padding};
use crate::weights::VarBuilder;

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

/// The shape of a block. Its activation follows every convolution but the last, and that of a plain
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

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl InvertedConfig {
    /// What cannot be.
    pub(super) fn problem(&self) -> Option<String> {
        let squeezed = self.squeeze.map(|squeeze| ("squeeze", squeeze.width));
        let counts = [("inner", self.inner), ("kernel", self.kernel)];
        let low = counts.into_iter().chain(squeezed).find(|(_, n)| *n < 1);
        low.map(|(name, n)| format!("{name} {n}: must be at least 1"))
    }

    /// The convolutions with the names of each and of its norm. The last is apart: a squeeze stands
    /// ahead of it, and no activation behind it.
    fn convolutions(&self, shape: &BlockShape<'_>) -> (Vec<Named>, Option<Named>) {
        let &BlockShape { c_in, c_out, stride, .. } = shape;
        let &Self { inner, kernel, padding, .. } = self;
        let point = |c_in, c_out| ConvConfig::new((c_in, c_out), 1, 1);
        let depthwise =
            |channels| ConvConfig { padding, ..ConvConfig::depthwise(channels, kernel, stride) };
        let full =
            |c_out| ConvConfig { padding, ..ConvConfig::new((c_in, c_out), kernel, stride) };
        let named = |names: [&'static str; 2], conv| Named { at: "", names, conv };
        let [first, second, third] =
            [["conv1", "norm1"], ["conv2", "norm2"], ["conv3", "norm3"]];
        let names = ["conv", "norm"];
        match self.form {
            InvertedForm::Inverted => (
                vec![named(first, point(c_in, inner)), named(second, depthwise(inner))],
                Some(named(third, point(inner, c_out))),
            ),
            InvertedForm::Separable => (
                vec![Named { at: "depthwise", names, conv: depthwise(c_in) }],
                Some(Named { at: "pointwise", names, conv: point(c_in, c_out) }),
            ),
            InvertedForm::Fused => {
                (vec![named(first, full(inner))], Some(named(second, point(inner, c_out))))
            }
            InvertedForm::Plain => (vec![named(names, full(c_out))], None),
        }
    }
}

/// A convolution, and where it and its norm stand below the block.
struct Named {
    at: &'static str,
    names: [&'static str; 2],
    conv: ConvConfig,
}

impl Named {
    fn layer(self, vb: &VarBuilder<'_>, shape: &BlockShape<'_>) -> Result<ConvNorm> {
        let vb = if self.at.is_empty() { vb.clone() } else { vb.sub(self.at) };
        ConvNorm::new(&vb, self.names, self.conv, &shape.config.norm)
    }
}

/// Convolutions to many channels and back, past which the input goes.
#[derive(Debug)]
pub(super) struct InvertedBlock {
    /// Each followed by the activation.
    body: Vec<ConvNorm>,
    squeeze: Option<Squeeze>,
    /// The last convolution; a plain block has none behind its first.
    project: Option<ConvNorm>,
    activation: Activation,
    adds: bool,
    drop_path: f64,
}

impl InvertedBlock {
    /// Parameters `{conv1,norm1,conv2,norm2,conv3,norm3}`; of a separable block
    /// `{depthwise,pointwise}.{conv,norm}`, of a plain one `{conv,norm}`; and `se.{reduce,expand}`.
    pub(super) fn new(
        vb: &VarBuilder<'_>,
        config: &InvertedConfig,
        shape: &BlockShape<'_>,
    ) -> Result<Self> {
        let (body, project) = config.convolutions(shape);
        let inner = body.last().map_or(shape.c_in, |named| named.conv.c_out);
        let squeeze = |config| Squeeze::new(&vb.sub("se"), inner, config);
        let same = shape.c_in == shape.c_out && shape.stride == 1;
        Ok(Self {
            squeeze: config.squeeze.map(squeeze).transpose()?,
            body: body.into_iter().map(|n| n.layer(vb, shape)).collect::<Result<_>>()?,
            project: project.map(|named| named.layer(vb, shape)).transpose()?,
            activation: config.activation,
            adds: same && config.skip == Skip::Added,
            drop_path: shape.drop_path,
        })
    }

    /// `[B, c_in, H, W]` to `[B, c_out, H', W']`.
    pub(super) fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let y = self.body.iter().fold(x.shallow_clone(), |x, layer| {
            self.activation.forward(&layer.forward(&x, train))
        });
        let y = self.squeeze.as_ref().map(|squeeze| squeeze.forward(&y)).unwrap_or(y);
        let y = self.project.as_ref().map(|layer| layer.forward(&y, train)).unwrap_or(y);
        if self.adds { drop_path(y, self.drop_path, train) + x } else { y }
    }

    pub(super) fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        let layers = self.body.iter().chain(&self.project);
        layers.for_each(|layer| layer.norm.set_batch_norm_stats(statistics));
    }
}

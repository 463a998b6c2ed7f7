//! Inverted residuals and their kin: the blocks of MobileNets (Howard et al. 2017, Sandler et al. 2018,
//! Howard et al. 2019) and of EfficientNets (Tan and Le 2019 and 2021).

use tch::Tensor;

use super::config::BlockShape;
use super::kinds::{InvertedConfig, InvertedForm, Skip, SqueezeConfig};

use crate::error::Result;
use crate::nn::exporter::{Exporter, GraphMap};
use crate::nn::layers::dropout::drop_path;
use crate::nn::layers::{Activation, BatchNormStats, ConvConfig, ConvNorm, SqueezeExcite};
use crate::weights::VarBuilder;

/// The convolutions with the names of each and of its norm. The last is apart: a squeeze stands
/// ahead of it, and no activation behind it.
fn convolutions(config: &InvertedConfig, shape: &BlockShape<'_>) -> (Vec<Named>, Option<Named>) {
    let &BlockShape { c_in, c_out, stride, .. } = shape;
    let &InvertedConfig { inner, kernel, padding, .. } = config;
    let point = |c_in, c_out| ConvConfig::new((c_in, c_out), 1, 1);
    let depthwise =
        |channels| ConvConfig { padding, ..ConvConfig::depthwise(channels, kernel, stride) };
    let full = |c_out| ConvConfig { padding, ..ConvConfig::new((c_in, c_out), kernel, stride) };
    let named = |names: [&'static str; 2], conv| Named { at: "", names, conv };
    let [first, second, third] = [["conv1", "norm1"], ["conv2", "norm2"], ["conv3", "norm3"]];
    let names = ["conv", "norm"];
    match config.form {
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
    squeeze: Option<SqueezeExcite>,
    /// The last convolution; a plain block has none behind its first.
    project: Option<ConvNorm>,
    activation: Activation,
    adds: bool,
    drop_path: f64,
}

impl InvertedBlock {
    /// Parameters `{conv1,norm1,conv2,norm2,conv3,norm3}`; of a separable block
    /// `{depthwise,pointwise}.{conv,norm}`, of a plain one `{conv,norm}`; and `se.{down,up}`.
    pub(super) fn new(
        vb: &VarBuilder<'_>,
        config: &InvertedConfig,
        shape: &BlockShape<'_>,
    ) -> Result<Self> {
        let (body, project) = convolutions(config, shape);
        let inner = body.last().map_or(shape.c_in, |named| named.conv.c_out);
        let squeeze = |config: SqueezeConfig| {
            let SqueezeConfig { width, activation, gate } = config;
            SqueezeExcite::new(&vb.sub("se"), inner, width, activation, gate)
        };
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
        let y = self
            .body
            .iter()
            .fold(x.shallow_clone(), |x, layer| self.activation.forward(&layer.forward(&x, train)));
        let y = self.squeeze.as_ref().map(|squeeze| squeeze.forward(&y)).unwrap_or(y);
        let y = self.project.as_ref().map(|layer| layer.forward(&y, train)).unwrap_or(y);
        if self.adds { drop_path(y, self.drop_path, train) + x } else { y }
    }

    /// The same in a graph.
    pub(super) fn onnx(&self, e: &Exporter, map: &GraphMap) -> GraphMap {
        let y = self.body.iter().fold(map.clone(), |map, layer| {
            let map = layer.onnx(e, &map);
            map.with(self.activation.onnx(&map.x))
        });
        let squeezed = self.squeeze.as_ref().map(|squeeze| y.with(squeeze.onnx(e, &y.x)));
        let y = squeezed.unwrap_or(y);
        let y = self.project.as_ref().map(|layer| layer.onnx(e, &y)).unwrap_or(y);
        if self.adds { y.with(&y.x + &map.x) } else { y }
    }

    pub(super) fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        let layers = self.body.iter().chain(&self.project);
        layers.for_each(|layer| layer.norm.set_batch_norm_stats(statistics));
    }
}

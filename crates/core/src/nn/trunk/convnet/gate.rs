//! The attention to channels in a residual block.

use tch::Tensor;

use super::config::{BlockKind, BlockShape, Squeeze};
use crate::error::Result;
use crate::nn::exporter::Exporter;
use crate::nn::layers::{Activation, ChannelAttention, SqueezeExcite};
use crate::onnx::Value;
use crate::weights::VarBuilder;

#[derive(Debug)]
enum Kind {
    SqueezeExcite(SqueezeExcite),
    Neighbours(ChannelAttention),
}

/// Attention to channels, and where it stands.
#[derive(Debug)]
pub(super) struct ChannelGate {
    kind: Kind,
    /// The convolution that it stands behind, counted from 0.
    pub(super) behind: usize,
}

impl ChannelGate {
    /// Parameters `{down,up}.{weight,bias}`, or `conv.weight`; `None`: the network has no such
    /// attention.
    pub(super) fn new(vb: &VarBuilder<'_>, shape: &BlockShape<'_>) -> Result<Option<Self>> {
        let &BlockShape { config, c_in, c_out, inner, .. } = shape;
        let Some(squeeze) = config.squeeze else { return Ok(None) };
        let last = if shape.kind == BlockKind::Bottleneck { 2 } else { 1 };
        let excite = |channels, squeezed| -> Result<_> {
            let gate = Activation::Sigmoid;
            let layer = SqueezeExcite::new(vb, channels, squeezed, config.activation, gate)?;
            Ok(Kind::SqueezeExcite(layer))
        };
        let (kind, behind) = match squeeze {
            Squeeze::Outputs => (excite(c_out, ((c_out + 64) / 128 * 8).max(8))?, last),
            Squeeze::Inputs => {
                let channels = if last == 2 { inner } else { c_out };
                let quarter = (c_in as f64 / 4.).round_ties_even() as i64;
                (excite(channels, quarter.max(1))?, last - 1)
            }
            Squeeze::Neighbours => {
                (Kind::Neighbours(ChannelAttention::new(vb, neighbours(c_out))?), last)
            }
        };
        Ok(Some(Self { kind, behind }))
    }

    /// `[B, C, H, W]` to the same shape.
    pub(super) fn forward(&self, x: &Tensor) -> Tensor {
        match &self.kind {
            Kind::SqueezeExcite(layer) => layer.forward(x),
            Kind::Neighbours(layer) => layer.forward(x),
        }
    }

    /// The same in a graph.
    pub(super) fn onnx(&self, e: &Exporter, x: &Value) -> Value {
        match &self.kind {
            Kind::SqueezeExcite(layer) => layer.onnx(e, x),
            Kind::Neighbours(layer) => layer.onnx(e, x),
        }
    }
}

/// The kernel over the channels: `(log₂ C + 1) / 2` as an odd number (ECA-Net, §3.3).
fn neighbours(channels: i64) -> i64 {
    let near = (((channels as f64).log2() + 1.) / 2.) as i64;
    (near | 1).max(3)
}

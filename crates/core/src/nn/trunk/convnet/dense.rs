//! The blocks of a DenseNet (Huang et al. 2017).

use tch::Tensor;

use super::config::BlockShape;
use crate::error::Result;
use crate::nn::exporter::{Exporter, GraphMap};
use crate::nn::layers::{Activation, BatchNormStats, Conv2d, MapNorm};
use crate::onnx::Value;
use crate::weights::VarBuilder;

/// Two convolutions behind norms, whose outputs are added to the channels.
#[derive(Debug)]
pub(super) struct DenseBlock {
    layers: [(MapNorm, Conv2d); 2],
    activation: Activation,
}

impl DenseBlock {
    /// Parameters `{norm1,conv1,norm2,conv2}`.
    pub(super) fn new(vb: &VarBuilder<'_>, shape: &BlockShape<'_>) -> Result<Self> {
        let &BlockShape { config, c_in, c_out, inner, .. } = shape;
        let layer = |names: [&str; 2], channels, kernel| -> Result<_> {
            let conv = shape.conv(channels, kernel, 1);
            let norm = MapNorm::new(&vb.sub(names[0]), conv.c_in, &config.norm)?;
            Ok((norm, Conv2d::new(&vb.sub(names[1]), conv)?))
        };
        let layers = [
            layer(["norm1", "conv1"], (c_in, inner), 1)?,
            layer(["norm2", "conv2"], (inner, c_out - c_in), 3)?,
        ];
        Ok(Self { layers, activation: config.activation })
    }

    /// `[B, c_in, H, W]` to `[B, c_out, H, W]`, of which the first channels are the input's.
    pub(super) fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let new = self.layers.iter().fold(x.shallow_clone(), |x, (norm, conv)| {
            conv.forward(&self.activation.forward(&norm.forward(&x, train)))
        });
        Tensor::cat(&[x, &new], 1)
    }

    /// The same in a graph.
    pub(super) fn onnx(&self, e: &Exporter, map: &GraphMap) -> GraphMap {
        let new = self.layers.iter().fold(map.clone(), |map, (norm, conv)| {
            conv.onnx(e, &map.with(self.activation.onnx(&norm.onnx(e, &map.x))))
        });
        map.with(Value::cat(&[&map.x, &new.x], 1))
    }

    pub(super) fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        self.layers.iter().for_each(|(norm, _)| norm.set_batch_norm_stats(statistics));
    }
}

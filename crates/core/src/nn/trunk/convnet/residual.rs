//! Residual blocks (He et al. 2016), and those of a keyword spotter (Tang and Lin 2018).

use tch::Tensor;

use super::config::{BlockKind, BlockShape, Shortcut};
use super::gate::ChannelGate;
use crate::error::Result;
use crate::nn::exporter::{Exporter, GraphMap};
use crate::nn::layers::{
    Activation, BatchNormStats, Conv2d, ConvConfig, ConvNorm, MapNorm, MapNormKind, NormConfig,
    NormPlacement,
};
use crate::onnx::{PoolShape, Value};
use crate::weights::VarBuilder;

/// The way past a block's convolutions.
#[derive(Debug)]
enum Past {
    /// Input and output have one shape.
    Same,
    Projected(ConvNorm),
    /// Mean pooling over so many rows and columns, and a projection.
    Pooled(i64, ConvNorm),
    Padded {
        stride: i64,
        channels: i64,
    },
}

impl Past {
    /// Parameters `shortcut.{conv,norm}` where the shape changes; with pre-norm there is no norm.
    fn new(vb: &VarBuilder<'_>, shape: &BlockShape<'_>) -> Result<Self> {
        let &BlockShape { config, c_in, c_out, stride, .. } = shape;
        let projection = |stride| {
            let norm = match config.norm_placement {
                NormPlacement::Pre | NormPlacement::Sandwich => {
                    NormConfig::of(MapNormKind::Without)
                }
                NormPlacement::Post => config.norm,
            };
            let (vb, conv) = (vb.sub("shortcut"), shape.conv((c_in, c_out), 1, stride));
            ConvNorm::new(&vb, ["conv", "norm"], conv, &norm)
        };
        Ok(match config.shortcut {
            _ if c_in == c_out && stride == 1 => Self::Same,
            Shortcut::Padded => Self::Padded { stride, channels: c_out - c_in },
            Shortcut::Pooled if stride > 1 => Self::Pooled(stride, projection(1)?),
            Shortcut::Projected | Shortcut::Pooled => Self::Projected(projection(stride)?),
        })
    }

    fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        match self {
            Self::Same => x.shallow_clone(),
            Self::Projected(layer) => layer.forward(x, train),
            Self::Pooled(side, layer) => {
                let pooled = x.avg_pool2d([*side; 2], [*side; 2], [0, 0], true, false, None);
                layer.forward(&pooled, train)
            }
            Self::Padded { stride, channels } => {
                let size = x.size();
                let thin = x.slice(2, 0, size[2], *stride).slice(3, 0, size[3], *stride);
                let (before, behind) = (channels / 2, channels - channels / 2);
                thin.constant_pad_nd([0, 0, 0, 0, before, behind])
            }
        }
    }

    /// The same in a graph.
    fn onnx(&self, e: &Exporter, map: &GraphMap) -> GraphMap {
        let parts = |of: i64| map.sides.map(|side| (side + of - 1) / of);
        match self {
            Self::Same => map.clone(),
            Self::Projected(layer) => layer.onnx(e, map),
            Self::Pooled(side, layer) => {
                let ceil = map.sides.iter().any(|n| n % side != 0);
                let shape = PoolShape { kernel: [*side; 2], strides: [*side; 2], padding: 0, ceil };
                layer.onnx(e, &GraphMap { x: map.x.avg_pool(shape), sides: parts(*side) })
            }
            Self::Padded { stride, channels } => {
                let thin = map.x.every(2, *stride).every(3, *stride);
                let x = thin.pad(&[(1, channels / 2, channels - channels / 2)]);
                GraphMap { x, sides: parts(*stride) }
            }
        }
    }

    fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        match self {
            Self::Projected(layer) | Self::Pooled(_, layer) => {
                layer.norm.set_batch_norm_stats(statistics);
            }
            Self::Same | Self::Padded { .. } => {}
        }
    }
}

/// The names of a block's convolutions and norms.
const NAMES: [[&str; 2]; 3] = [["conv1", "norm1"], ["conv2", "norm2"], ["conv3", "norm3"]];

/// Convolutions with norms, to which the input is added.
#[derive(Debug)]
pub(super) struct ResidualBlock {
    layers: Vec<ConvNorm>,
    gate: Option<ChannelGate>,
    past: Past,
    norm_placement: NormPlacement,
    activation: Activation,
}

impl ResidualBlock {
    /// Parameters `{conv1,norm1,conv2,norm2,…}`, with `gate.…` where there is attention to channels
    /// and `shortcut.{conv,norm}` where the shape changes.
    pub(super) fn new(vb: &VarBuilder<'_>, shape: &BlockShape<'_>) -> Result<Self> {
        let &BlockShape { config, c_in, c_out, inner, groups, stride, .. } = shape;
        let convolutions = match shape.kind {
            BlockKind::Bottleneck => vec![
                shape.conv((c_in, inner), 1, 1),
                ConvConfig { groups, ..shape.conv((inner, inner), 3, stride) },
                shape.conv((inner, c_out), 1, 1),
            ],
            _ => vec![shape.conv((c_in, c_out), 3, stride), shape.conv((c_out, c_out), 3, 1)],
        };
        let layers = convolutions.into_iter().zip(NAMES);
        let layers = layers.map(|(conv, names)| match config.norm_placement {
            NormPlacement::Post => ConvNorm::new(vb, names, conv, &config.norm),
            NormPlacement::Pre | NormPlacement::Sandwich => Ok(ConvNorm {
                conv: Conv2d::new(&vb.sub(names[0]), conv)?,
                norm: MapNorm::new(&vb.sub(names[1]), conv.c_in, &config.norm)?,
            }),
        });
        Ok(Self {
            layers: layers.collect::<Result<_>>()?,
            gate: ChannelGate::new(&vb.sub("gate"), shape)?,
            past: Past::new(vb, shape)?,
            norm_placement: config.norm_placement,
            activation: config.activation,
        })
    }

    pub(super) fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        match self.norm_placement {
            NormPlacement::Post => self.forward_post(x, train),
            NormPlacement::Pre | NormPlacement::Sandwich => self.forward_pre(x, train),
        }
    }

    fn forward_post(&self, x: &Tensor, train: bool) -> Tensor {
        let past = self.past.forward(x, train);
        let last = self.layers.len() - 1;
        let y = self.layers.iter().enumerate().fold(x.shallow_clone(), |x, (i, layer)| {
            let y = layer.forward(&x, train);
            let y = if i < last { self.activation.forward(&y) } else { y };
            self.gated(i, y)
        });
        self.activation.forward(&(y + past))
    }

    fn forward_pre(&self, x: &Tensor, train: bool) -> Tensor {
        let act =
            |layer: &ConvNorm, x: &Tensor| self.activation.forward(&layer.norm.forward(x, train));
        let first = act(&self.layers[0], x);
        let past = match &self.past {
            Past::Same => x.shallow_clone(),
            past => past.forward(&first, train),
        };
        let y = self.gated(0, self.layers[0].conv.forward(&first));
        let rest = self.layers.iter().enumerate().skip(1);
        rest.fold(y, |y, (i, layer)| self.gated(i, layer.conv.forward(&act(layer, &y)))) + past
    }

    /// What left layer `i`, scaled by the attention to channels if that stands behind it.
    fn gated(&self, i: usize, y: Tensor) -> Tensor {
        match &self.gate {
            Some(gate) if gate.behind == i => gate.forward(&y),
            _ => y,
        }
    }

    /// [`forward`](Self::forward) in a graph.
    pub(super) fn onnx(&self, e: &Exporter, map: &GraphMap) -> GraphMap {
        let gated = |i: usize, map: GraphMap| match &self.gate {
            Some(gate) if gate.behind == i => map.with(gate.onnx(e, &map.x)),
            _ => map,
        };
        let activated = |map: GraphMap| map.with(self.activation.onnx(&map.x));
        if self.norm_placement == NormPlacement::Post {
            let (past, last) = (self.past.onnx(e, map), self.layers.len() - 1);
            let y = self.layers.iter().enumerate().fold(map.clone(), |map, (i, layer)| {
                let map = layer.onnx(e, &map);
                gated(i, if i < last { activated(map) } else { map })
            });
            return activated(y.with(&y.x + &past.x));
        }
        let act =
            |layer: &ConvNorm, map: &GraphMap| activated(map.with(layer.norm.onnx(e, &map.x)));
        let first = act(&self.layers[0], map);
        let past = match &self.past {
            Past::Same => map.clone(),
            past => past.onnx(e, &first),
        };
        let y = gated(0, self.layers[0].conv.onnx(e, &first));
        let rest = self.layers.iter().enumerate().skip(1);
        let y = rest.fold(y, |y, (i, layer)| gated(i, layer.conv.onnx(e, &act(layer, &y))));
        y.with(&y.x + &past.x)
    }

    pub(super) fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        self.layers.iter().for_each(|layer| layer.norm.set_batch_norm_stats(statistics));
        self.past.set_batch_norm_stats(statistics);
    }
}

/// Two convolutions, each with ReLU and then a norm, past which the sum before the last norm goes.
#[derive(Debug)]
pub(super) struct KeywordBlock {
    first: ConvNorm,
    second: ConvNorm,
    past: Past,
}

impl KeywordBlock {
    /// Parameters `{conv1,norm1,conv2,norm2}`, with `shortcut.{conv,norm}` where the shape changes.
    pub(super) fn new(vb: &VarBuilder<'_>, shape: &BlockShape<'_>) -> Result<Self> {
        let &BlockShape { config, c_in, c_out, stride, .. } = shape;
        let layer = |names, conv| ConvNorm::new(vb, names, conv, &config.norm);
        Ok(Self {
            first: layer(NAMES[0], shape.conv((c_in, c_out), 3, stride))?,
            second: layer(NAMES[1], shape.conv((c_out, c_out), 3, 1))?,
            past: Past::new(vb, shape)?,
        })
    }

    /// `carried` is the sum of the block before; the first block has none, and carries its input.
    pub(super) fn forward(&self, x: &Tensor, carried: &mut Option<Tensor>, train: bool) -> Tensor {
        let past = self.past.forward(carried.as_ref().unwrap_or(x), train);
        let y = self.first.norm.forward(&self.first.conv.forward(x).relu_(), train);
        let sum = self.second.conv.forward(&y).relu() + past;
        let y = self.second.norm.forward(&sum, train);
        *carried = Some(sum);
        y
    }

    /// The same in a graph.
    pub(super) fn onnx(
        &self,
        e: &Exporter,
        map: &GraphMap,
        carried: &mut Option<Value>,
    ) -> GraphMap {
        let past = map.with(carried.take().unwrap_or_else(|| map.x.clone()));
        let past = self.past.onnx(e, &past);
        let y = self.first.conv.onnx(e, map);
        let y = y.with(self.first.norm.onnx(e, &y.x.relu()));
        let sum = self.second.conv.onnx(e, &y);
        let sum = sum.with(sum.x.relu() + past.x);
        *carried = Some(sum.x.clone());
        sum.with(self.second.norm.onnx(e, &sum.x))
    }

    pub(super) fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        for layer in [&self.first, &self.second] {
            layer.norm.set_batch_norm_stats(statistics);
        }
        self.past.set_batch_norm_stats(statistics);
    }
}

#[cfg(test)]
mod tests {
    use tch::nn::VarStore;
    use tch::{Device, Kind};

    use super::*;
    use crate::nn::trunk::convnet::{ConvNetConfig, Stage};
    use crate::weights::Fresh;

    #[test]
    fn a_padded_shortcut_has_no_parameters_and_keeps_every_other_position() {
        let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
        let root = VarBuilder::root(&store, &fresh);
        let config = ConvNetConfig::new(8, vec![Stage::new(1, 16, 2)], BlockKind::Basic);
        let config = ConvNetConfig { shortcut: Shortcut::Padded, ..config };
        let block = ResidualBlock::new(&root, &config.block(&config.stages[0], 8, 0, 0)).unwrap();
        assert!(store.variables().keys().all(|name| !name.contains("shortcut")));
        // With convolutions of zeros, the output is that of the shortcut.
        for (name, mut tensor) in store.variables() {
            if name.contains("conv") {
                let _ = tch::no_grad(|| tensor.zero_());
            }
        }
        let x = Tensor::rand([1, 8, 5, 5], (Kind::Float, Device::Cpu));
        let y = block.forward(&x, false);
        assert_eq!(y.size(), [1, 16, 3, 3]);
        assert_eq!(y.narrow(1, 4, 8), x.slice(2, 0, 5, 2).slice(3, 0, 5, 2));
        assert_eq!(y.narrow(1, 0, 4).abs().sum(Kind::Float).double_value(&[]), 0.);
    }
}

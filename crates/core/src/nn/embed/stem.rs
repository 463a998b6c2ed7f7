//! The stem of a convolutional network: its first convolutions.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::embedder::Embedder;
use crate::error::{Error, Result};
use crate::nn::exporter::{Exporter, GraphEmbedding, GraphFeatures, GraphMap};
use crate::nn::features::{Batch, FeatureShape, Features};
use crate::nn::layers::{
    Activation, BatchNormStats, ConvConfig, ConvNorm, MapNormKind, NormConfig, NormPlacement,
    Padding, eps_problem,
};
use crate::onnx::PoolShape;
use crate::weights::{VarBuilder, resize};

/// The shape of a convolutional network's stem: its first convolutions, each with its norm and
/// activation, and a pooling.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StemConfig {
    /// Input channels.
    #[serde(alias = "channels")]
    pub in_channels: i64,
    /// Output channels.
    #[serde(alias = "planes")]
    pub out_channels: i64,
    /// The side of the kernels, in pixels.
    pub kernel: i64,
    /// The stride of the first kernel, in pixels; the others have 1.
    pub stride: i64,
    /// The output channels of two convolutions before the last (ResNet-C, He et al. 2019, §4.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<[i64; 2]>,
    /// What is added around the input.
    #[serde(default, skip_serializing_if = "is_default")]
    pub padding: Padding,
    /// Whether the convolutions add a bias.
    #[serde(default, skip_serializing_if = "is_default")]
    pub bias: bool,
    /// The epsilon of weight standardisation; `None`: filters are used as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standardise: Option<f64>,
    /// The norm behind each convolution.
    pub norm: NormConfig,
    /// The activation behind each norm.
    #[serde(default = "relu", skip_serializing_if = "is_relu")]
    pub activation: Activation,
    /// Where the blocks that follow have their norms: with pre-norm, the last convolution has neither
    /// norm nor activation.
    #[serde(default = "post", skip_serializing_if = "is_post")]
    pub norm_placement: NormPlacement,
    /// How the feature map is pooled.
    pub pool: StemPool,
}

/// How a stem pools its feature map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StemPool {
    /// Not at all: ResNets for small pictures.
    Without,
    /// Max pooling of 3 × 3 with stride 2: ResNet.
    Max,
    /// The same with zeros around the feature map: BiT.
    MaxOverZeros,
    /// The same with TensorFlow's padding, by zeros.
    MaxSame,
    /// Mean pooling over so many rows and columns: honk.
    Mean([i64; 2]),
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn post() -> NormPlacement {
    NormPlacement::Post
}

fn is_post(placement: &NormPlacement) -> bool {
    *placement == NormPlacement::Post
}

fn relu() -> Activation {
    Activation::Relu
}

fn is_relu(activation: &Activation) -> bool {
    *activation == Activation::Relu
}

/// More channels and pixels than any stem has: their products stay numbers.
const MOST: i64 = 1 << 20;

impl StemConfig {
    /// One convolution without a bias, batch norm and ReLU: ResNet.
    pub fn new(
        (in_channels, out_channels): (i64, i64),
        kernel: i64,
        stride: i64,
        pool: StemPool,
    ) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel,
            stride,
            before: None,
            padding: Padding::Half,
            bias: false,
            standardise: None,
            norm: NormConfig::default(),
            activation: Activation::Relu,
            norm_placement: NormPlacement::Post,
            pool,
        }
    }

    /// The convolutions, in their order.
    fn convolutions(&self) -> Vec<ConvConfig> {
        let (mut c_in, mut stride) = (self.in_channels, self.stride);
        let outputs = self.before.into_iter().flatten().chain([self.out_channels]);
        outputs
            .map(|c_out| {
                let conv = ConvConfig {
                    padding: self.padding,
                    bias: self.bias,
                    standardise: self.standardise,
                    ..ConvConfig::new((c_in, c_out), self.kernel, stride)
                };
                (c_in, stride) = (c_out, 1);
                conv
            })
            .collect()
    }

    /// What cannot be.
    pub(super) fn problem(&self) -> Option<String> {
        let mut counts = vec![("in_channels", self.in_channels), ("kernel", self.kernel)];
        counts.extend([("stride", self.stride), ("out_channels", self.out_channels)]);
        counts.extend(self.before.into_iter().flatten().map(|n| ("before", n)));
        if let StemPool::Mean(sides) = self.pool {
            counts.extend(sides.map(|side| ("pool", side)));
        }
        let wrong = |(name, n): &(&str, i64)| match n {
            ..1 => Some(format!("{name} {n}: must be at least 1")),
            MOST.. => Some(format!("{name} {n}: must be below {MOST}")),
            _ => None,
        };
        let outputs = self.before.into_iter().flatten().chain([self.out_channels]);
        (counts.iter().find_map(wrong))
            .or_else(|| self.standardise.and_then(eps_problem).map(|p| format!("standardise: {p}")))
            .or_else(|| self.norm.problem(outputs))
    }

    /// Whether the parameters of one fit the other, but for the input channels.
    fn fits(&self, other: &Self) -> bool {
        let free = |c: &Self| Self {
            in_channels: 1,
            stride: 1,
            padding: Padding::Half,
            activation: Activation::Relu,
            pool: StemPool::Without,
            ..*c
        };
        free(self) == free(other)
    }
}

/// A convolution with its norm, and its activation.
#[derive(Debug)]
struct StemLayer {
    layer: ConvNorm,
    activation: Activation,
}

/// Convolutions with norms and activations, and pooling: `[B, C, H, W]` to
/// `[B, out_channels, H', W']`.
#[derive(Debug)]
pub struct StemEmbedder {
    layers: Vec<StemLayer>,
    config: StemConfig,
}

impl StemEmbedder {
    /// Parameters `conv.weight [out_channels, C, K, K]` and, where there is a norm,
    /// `norm.{weight,bias,running_mean,running_var} [out_channels]`, below `vb`; of convolutions
    /// before it `before.{0,1}.{conv,norm}`. `from` is the stem in the source of `vb`, `to` the
    /// wanted one: they may differ in channels, to which [`resize`] brings the first kernel, in
    /// stride and in pooling.
    ///
    /// # Errors
    /// If `form` is other than the channels of `to`, if the kernels or the norms of the two differ,
    /// or if the source of `vb` lacks a tensor.
    pub fn new(
        vb: VarBuilder<'_>,
        from: &StemConfig,
        to: &StemConfig,
        form: FeatureShape,
    ) -> Result<Self> {
        let emits = FeatureShape::FeatureMap { channels: to.out_channels };
        if form != emits {
            return Err(Error::FeatureShape {
                emits: emits.to_string(),
                accepts: form.to_string(),
            });
        }
        if to.problem().is_some() || !to.fits(from) {
            return Err(Error::setting("stem", format!("{to:?} cannot be made of {from:?}")));
        }
        let reshape = |kernel: &Tensor| resize::input_channels(kernel, to.in_channels);
        let convolutions = to.convolutions();
        let last = convolutions.len() - 1;
        let layer = |(i, conv): (usize, ConvConfig)| {
            let vb = if i < last { vb.sub("before").sub(i) } else { vb.clone() };
            let bare = i == last && to.norm_placement == NormPlacement::Pre;
            let (norm, activation) = match bare {
                true => (NormConfig::of(MapNormKind::Without), Activation::Identity),
                false => (to.norm, to.activation),
            };
            let names = ["conv", "norm"];
            let layer = match i {
                0 => ConvNorm::reshaped(&vb, names, conv, &norm, &reshape)?,
                _ => ConvNorm::new(&vb, names, conv, &norm)?,
            };
            Ok(StemLayer { layer, activation })
        };
        let layers = convolutions.into_iter().enumerate().map(layer).collect::<Result<_>>()?;
        Ok(Self { layers, config: *to })
    }

    /// `[B, C, H, W]` to `[B, out_channels, H', W']`; in training, a norm whose statistics are
    /// updated normalises by the batch's.
    pub fn forward(&self, x: &Tensor, train: bool) -> Tensor {
        let x = self.layers.iter().fold(x.shallow_clone(), |x, StemLayer { layer, activation }| {
            activation.forward(&layer.forward(&x, train))
        });
        let over_zeros = |padding: Padding| {
            padding.with_zeros(&x, 3, 2).max_pool2d([3, 3], [2, 2], [0, 0], [1, 1], false)
        };
        match self.config.pool {
            StemPool::Without => x,
            StemPool::Max => x.max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false),
            StemPool::MaxOverZeros => over_zeros(Padding::Half),
            StemPool::MaxSame => over_zeros(Padding::Same),
            StemPool::Mean(sides) => x.avg_pool2d(sides, sides, [0, 0], false, true, None),
        }
    }
}

/// In a graph.
impl StemEmbedder {
    /// As [`forward`](Self::forward).
    pub fn onnx(&self, e: &Exporter, map: &GraphMap) -> GraphMap {
        let map = self.layers.iter().fold(map.clone(), |map, StemLayer { layer, activation }| {
            let map = layer.onnx(e, &map);
            map.with(activation.onnx(&map.x))
        });
        let max = PoolShape { kernel: [3; 2], strides: [2; 2], padding: 0, ceil: false };
        let max_pool = |map: GraphMap, padding: i64| {
            let x = map.x.max_pool(PoolShape { padding, ..max });
            GraphMap { x, sides: map.sides.map(|side| (side + 2 * padding - 3) / 2 + 1) }
        };
        match self.config.pool {
            StemPool::Without => map,
            StemPool::Max => max_pool(map, 1),
            StemPool::MaxOverZeros => max_pool(Padding::Half.zeros_onnx(&map, 3, 2), 0),
            StemPool::MaxSame => max_pool(Padding::Same.zeros_onnx(&map, 3, 2), 0),
            StemPool::Mean(kernel) => {
                let shape = PoolShape { kernel, strides: kernel, padding: 0, ceil: false };
                let sides = std::array::from_fn(|i| (map.sides[i] - kernel[i]) / kernel[i] + 1);
                GraphMap { x: map.x.avg_pool(shape), sides }
            }
        }
    }
}

impl Embedder for StemEmbedder {
    fn emits(&self) -> FeatureShape {
        FeatureShape::FeatureMap { channels: self.config.out_channels }
    }

    fn embed(&self, batch: &Batch, train: bool) -> Features {
        Features::FeatureMap(self.forward(&batch.x, train))
    }

    fn embed_onnx(&self, e: &Exporter) -> Result<GraphEmbedding> {
        let map = self.onnx(e, &e.pictures());
        Ok(GraphEmbedding::of(GraphFeatures::FeatureMap(map)))
    }

    /// Sets the norms' running statistics to those of the batch, if they are new: else predictions
    /// before the first step would use a mean of 0 and a variance of 1.
    fn init_from_data(&self, batch: &Batch) {
        let _fixed = tch::no_grad_guard();
        let mut x = batch.x.shallow_clone();
        for StemLayer { layer, activation } in &self.layers {
            x = layer.conv.forward(&x);
            layer.norm.measure(&x);
            x = activation.forward(&layer.norm.forward(&x, false));
        }
    }

    fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        for StemLayer { layer, .. } in &self.layers {
            layer.norm.set_batch_norm_stats(statistics);
        }
    }
}

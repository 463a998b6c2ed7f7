//! Scores of queries against vectors of distances (Shaw et al. 2018, §3.2), and of Transformer-XL (Dai
//! et al. 2019, §3.3).

use serde::{Deserialize, Serialize};
use tch::nn::Init;
use tch::{Device, Kind, Tensor};

use super::disentangled::{Distances, GraphDistances};
use super::scored::{GraphScored, HeadShape, Scored};
use crate::error::Result;
use crate::nn::exporter::Exporter;
use crate::nn::layers::{Bias, Linear};
use crate::onnx::{Element, Value};
use crate::weights::VarBuilder;

/// Each block has a vector for every distance up to the farthest in either direction; farther ones
/// share the last: wav2vec2-BERT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistanceConfig {
    /// The farthest position behind that has a vector of its own.
    pub behind: i64,
    /// The farthest ahead.
    pub ahead: i64,
}

/// No published model has as many: their product with a width stays a number.
const LARGEST: i64 = 1 << 20;

impl DistanceConfig {
    /// What is wrong with it.
    pub(crate) fn problem(&self) -> Option<String> {
        let fits = [self.behind, self.ahead].iter().all(|n| (0..=LARGEST).contains(n));
        (!fits).then(|| {
            format!(
                "vectors of distances up to {} behind and {} ahead: each must be at least 0 and at most {LARGEST}",
                self.behind, self.ahead
            )
        })
    }

    /// The vector of each query and key: `[T, T]`.
    pub(crate) fn of_pairs(&self, t: i64, device: Device) -> Tensor {
        let positions = Tensor::arange(t, (Kind::Int64, device));
        let ahead = positions.unsqueeze(0) - positions.unsqueeze(1);
        ahead.clamp(-self.behind, self.ahead) + self.behind
    }

    /// The same in a graph, of how far each key is ahead of each query, `[T, T]`.
    pub(crate) fn onnx(&self, ahead: &Value) -> Value {
        ahead.clamp(-self.behind as f64, self.ahead as f64) + self.behind as f64
    }
}

/// A block's vectors of distances.
#[derive(Debug)]
pub(crate) struct DistanceScores {
    /// `[behind + 1 + ahead, W]`.
    weight: Tensor,
}

impl DistanceScores {
    /// `distance.weight [behind + 1 + ahead, W]` below `vb`; queries of all heads have the same.
    pub(crate) fn new(
        vb: &VarBuilder<'_>,
        config: DistanceConfig,
        shape: HeadShape,
    ) -> Result<Self> {
        let shape = [config.behind + 1 + config.ahead, shape.head_width];
        let normal = Init::Randn { mean: 0., stdev: 0.02 };
        Ok(Self { weight: vb.sub("distance").param("weight", &shape, normal)? })
    }

    /// `[B, H, T, T]`.
    pub(crate) fn forward(&self, of: Scored<'_>, pairs: &Tensor) -> Tensor {
        let scores = (of.q * of.scale).matmul(&self.weight.tr());
        scores.take_along_dim(&pairs.unsqueeze(0).unsqueeze(0), -1)
    }

    /// The same in a graph.
    pub(crate) fn onnx(&self, e: &Exporter, of: GraphScored<'_>, pairs: &Value) -> Value {
        let scores = (of.q * of.scale).matmul(&e.transposed(&self.weight));
        scores.gather_last(&of.for_each_head(pairs))
    }
}

/// Sines and cosines of every distance in a sequence of `t` positions, side by side, `[2T - 1, width]`,
/// and which row belongs to each query and key.
pub(crate) fn sinusoids(t: i64, width: i64, device: Device) -> Distances {
    let float = (Kind::Float, Device::Cpu);
    let frequencies = frequencies(width);
    let angles = Tensor::arange_start(1 - t, t, float).outer(&frequencies);
    let vectors = Tensor::stack(&[angles.sin(), angles.cos()], -1).flatten(1, 2);
    let positions = Tensor::arange(t, (Kind::Int64, device));
    Distances {
        vectors: vectors.narrow(1, 0, width).to_device(device),
        pairs: positions.unsqueeze(1) - positions.unsqueeze(0) + (t - 1),
    }
}

/// In radians a position, `[width / 2]`, rounded up.
fn frequencies(width: i64) -> Tensor {
    let float = (Kind::Float, Device::Cpu);
    let exponents = Tensor::arange_start_step(0, width, 2, float) / width as f64;
    (exponents * -(10_000f64.ln())).exp()
}

/// The same as [`sinusoids`] in a graph, of the number of positions, `[1]`, and of how far each key is
/// behind each query, `[T, T]`.
pub(crate) fn sinusoids_onnx(
    e: &Exporter,
    t: &Value,
    behind: &Value,
    width: i64,
) -> GraphDistances {
    let last = t - 1.;
    let distances = ((&last * 2. + 1.).range() - &last).to(Element::F32);
    let frequencies = e.constant_as(&frequencies(width), Element::F32);
    let angles = distances.unsqueeze(&[1]) * frequencies.unsqueeze(&[0]);
    let vectors = Value::stack(&[&angles.sin(), &angles.cos()], 2).reshape(&[0, -1]);
    GraphDistances { vectors: vectors.narrow(1, 0, width).to_float(), pairs: behind + last }
}

/// A block's part in Transformer-XL's scores: a layer for the sinusoids of distances, and what is added
/// to every query where it meets a key, and where it meets a distance.
#[derive(Debug)]
pub(crate) struct SinusoidScores {
    project: Linear,
    /// `[H, W]` each.
    content: Tensor,
    position: Tensor,
    shape: HeadShape,
}

impl SinusoidScores {
    /// `position.weight [D, D]`, `content_bias [H, W]` and `position_bias [H, W]`, below `vb`.
    pub(crate) fn new(vb: &VarBuilder<'_>, shape: HeadShape) -> Result<Self> {
        let HeadShape { width, heads, head_width } = shape;
        let bias = |name| vb.param(name, &[heads, head_width], Init::Const(0.));
        let d_out = heads * head_width;
        Ok(Self {
            project: Linear::normal(
                &vb.without_rows().sub("position"),
                width,
                d_out,
                Bias::Without,
            )?,
            content: bias("content_bias")?,
            position: bias("position_bias")?,
            shape,
        })
    }

    /// `[B, H, T, T]`.
    pub(crate) fn forward(&self, of: Scored<'_>, distances: &Distances) -> Tensor {
        let HeadShape { heads, head_width, .. } = self.shape;
        let keys = self.project.forward_t(&distances.vectors, of.train);
        let keys = keys.view([-1, heads, head_width]).permute([1, 2, 0]);
        let pairs = distances.pairs.unsqueeze(0).unsqueeze(0);
        let queries = (of.q + self.position.unsqueeze(1)) * of.scale;
        let by_distance = queries.matmul(&keys).take_along_dim(&pairs, -1);
        // What is added to a query adds the same to its scores of a key wherever it stands.
        let by_key = of.k.matmul(&(self.content.unsqueeze(-1) * of.scale)).transpose(2, 3);
        by_distance + by_key
    }

    /// The same in a graph.
    pub(crate) fn onnx(
        &self,
        e: &Exporter,
        of: GraphScored<'_>,
        distances: &GraphDistances,
    ) -> Value {
        let HeadShape { heads, head_width, .. } = self.shape;
        let keys = self.project.onnx(e, &distances.vectors);
        let keys = keys.reshape(&[-1, heads, head_width]).permute(&[1, 2, 0]);
        let [content, position] = [&self.content, &self.position].map(|bias| e.parameter(bias));
        let queries = (of.q + position.unsqueeze(&[1])) * of.scale;
        let pairs = of.for_each_head(&distances.pairs);
        let by_distance = queries.matmul(&keys).gather_last(&pairs);
        let by_key = of.k.matmul(&(content.unsqueeze(&[2]) * of.scale)).permute(&[0, 1, 3, 2]);
        by_distance + by_key
    }
}

//! Disentangled attention (He et al. 2021, DeBERTa, §3.1; buckets by He et al. 2023, DeBERTa v3).

use serde::{Deserialize, Serialize};
use tch::nn::Init;
use tch::{Device, Kind, Tensor};

use super::scored::{GraphScored, HeadShape, Scored};
use crate::error::Result;
use crate::nn::defaults::is_default;
use crate::nn::exporter::Exporter;
use crate::nn::layers::{Bias, LayerNorm, Linear, dropout, eps_problem};
use crate::onnx::Value;
use crate::weights::VarBuilder;

/// Vectors of distances, which queries and keys are scored against beside each other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisentangledConfig {
    /// How many distances, or buckets of them, have vectors in each direction.
    pub span: i64,
    /// Far distances share buckets that grow with the logarithm, up to this one; `None`: each has
    /// its own, and those of `span` and more share the last.
    #[serde(default, skip_serializing_if = "is_default")]
    pub max_distance: Option<i64>,
    /// What is scored against the vectors.
    pub terms: DisentangledTerms,
    /// What makes queries and keys of the vectors.
    #[serde(default, skip_serializing_if = "is_default")]
    pub projections: PositionProjections,
    /// The epsilon of a layer norm of the vectors; `None`: there is none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub norm: Option<f64>,
}

/// What is scored against the vectors of distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DisentangledTerms {
    /// Queries against keys of the distances.
    ContentToPosition,
    /// Keys against queries of the distances.
    PositionToContent,
    /// Both.
    Both,
}

/// What makes queries and keys of the vectors of distances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PositionProjections {
    /// The block's layers for hidden states.
    #[default]
    Shared,
    /// Layers of their own.
    Own,
}

impl DisentangledTerms {
    fn content_to_position(self) -> bool {
        matches!(self, Self::ContentToPosition | Self::Both)
    }

    fn position_to_content(self) -> bool {
        matches!(self, Self::PositionToContent | Self::Both)
    }
}

/// No published model has as many: their product with a width stays a number.
const LARGEST: i64 = 1 << 20;

impl DisentangledConfig {
    /// What is wrong with it.
    pub(crate) fn problem(&self) -> Option<String> {
        if !(2..=LARGEST).contains(&self.span) {
            return Some(format!(
                "{} distances: must be at least 2 and at most {LARGEST}",
                self.span
            ));
        }
        match self.max_distance {
            Some(max) if max <= self.span / 2 + 1 => Some(format!(
                "{} buckets of distances up to {max}: it must be above half of them",
                self.span
            )),
            _ => self.norm.and_then(eps_problem),
        }
    }

    /// The row of every pair of positions in the table of distances: `[T, T]`, of the query, then of
    /// the key.
    fn of_pairs(&self, t: i64) -> Tensor {
        let positions = Tensor::arange(t, (Kind::Int64, Device::Cpu));
        self.of(&(positions.unsqueeze(1) - positions.unsqueeze(0)))
    }

    /// The row of keys that are so far behind their queries.
    fn of(&self, behind: &Tensor) -> Tensor {
        let behind = match self.max_distance {
            None => behind.shallow_clone(),
            Some(max) => {
                let middle = self.span / 2;
                let distance = behind.abs();
                let longer = distance.clamp_min(middle).to_kind(Kind::Float) / middle as f64;
                // In single precision throughout, as the buckets' borders were in training; by an
                // operation that a trace records.
                let steps = (max - 1) as f64 / middle as f64;
                let steps = Tensor::full([1], steps, (Kind::Float, Device::Cpu)).log();
                let far = (longer.log() / steps * (middle - 1) as f64).ceil() + middle as f64;
                let far = far.to_kind(Kind::Int64) * behind.sign();
                behind.where_self(&distance.le(middle), &far)
            }
        };
        (behind + self.span).clamp(0, 2 * self.span - 1)
    }

    /// The rows of all distances, from behind the farthest that has its own to as far ahead, and that
    /// distance.
    fn of_distances(&self) -> (Tensor, i64) {
        let rows = |farthest: i64| {
            let all = Tensor::arange_start(-farthest, farthest + 1, (Kind::Int64, Device::Cpu));
            (self.of(&all), farthest)
        };
        let is_last = |farthest: i64| {
            let ends = self.of(&Tensor::from_slice(&[-farthest, farthest]));
            Vec::<i64>::try_from(ends).is_ok_and(|ends| ends == [0, 2 * self.span - 1])
        };
        let first = self.max_distance.unwrap_or(self.span).max(self.span);
        let mut doubled = std::iter::successors(Some(first), |farthest| Some(farthest * 2));
        // Where the table has more rows than there are buckets, the last are never reached.
        rows(doubled.find(|&farthest| is_last(farthest) || farthest > LARGEST).unwrap_or(first))
    }
}

/// The vectors of distances in one forward pass, which all blocks share.
#[derive(Debug)]
pub(crate) struct Distances {
    /// `[N, D]`.
    pub(crate) vectors: Tensor,
    /// Which of them belongs to each query and key: `[T, T]`, i64.
    pub(crate) pairs: Tensor,
}

/// The same in a graph.
#[derive(Debug)]
pub(crate) struct GraphDistances {
    /// `[N, D]`.
    pub(crate) vectors: Value,
    /// `[T, T]`, i64.
    pub(crate) pairs: Value,
}

/// The table of vectors of distances, which all blocks share.
#[derive(Debug)]
pub(crate) struct DistanceTable {
    config: DisentangledConfig,
    weight: Tensor,
    norm: Option<LayerNorm>,
}

impl DistanceTable {
    /// `relative.weight [2 · span, D]` and, with a norm, `norm_relative.{weight,bias}`, below `vb`.
    pub(crate) fn new(vb: &VarBuilder<'_>, config: DisentangledConfig, width: i64) -> Result<Self> {
        let normal = Init::Randn { mean: 0., stdev: 0.02 };
        let norm = |eps| LayerNorm::new(&vb.without_rows().sub("norm_relative"), width, eps);
        Ok(Self {
            config,
            weight: vb.sub("relative").param("weight", &[2 * config.span, width], normal)?,
            norm: config.norm.map(norm).transpose()?,
        })
    }

    /// For a sequence of `t` positions.
    pub(crate) fn forward(&self, t: i64) -> Distances {
        let normed = self.norm.as_ref().map(|norm| norm.forward(&self.weight));
        Distances {
            vectors: normed.unwrap_or_else(|| self.weight.shallow_clone()),
            pairs: self.config.of_pairs(t).to_device(self.weight.device()),
        }
    }

    /// The same in a graph, of how far each key is behind each query, `[T, T]`.
    pub(crate) fn onnx(&self, e: &Exporter, behind: &Value) -> GraphDistances {
        let weight = e.parameter(&self.weight);
        let (rows, farthest) = self.config.of_distances();
        let numbers = behind.clamp(-farthest as f64, farthest as f64) + farthest as f64;
        GraphDistances {
            vectors: self.norm.as_ref().map(|norm| norm.onnx(e, &weight)).unwrap_or(weight),
            pairs: e.constant(&rows).rows(&numbers),
        }
    }
}

/// A block's part: its own layers for the vectors, where it has them.
#[derive(Debug)]
pub(crate) struct Disentangled {
    terms: DisentangledTerms,
    shape: HeadShape,
    /// Those for queries and for keys.
    own: [Option<Linear>; 2],
}

impl Disentangled {
    /// `position_q` and `position_k`, as far as they are needed, below `vb`.
    pub(crate) fn new(
        vb: &VarBuilder<'_>,
        config: DisentangledConfig,
        shape: HeadShape,
    ) -> Result<Self> {
        let HeadShape { width, heads, head_width } = shape;
        let vb = vb.without_rows();
        let own = config.projections == PositionProjections::Own;
        let linear = |name, needed| match own && needed {
            true => Linear::normal(&vb.sub(name), width, heads * head_width, Bias::With).map(Some),
            false => Ok(None),
        };
        Ok(Self {
            terms: config.terms,
            shape,
            own: [
                linear("position_q", config.terms.position_to_content())?,
                linear("position_k", config.terms.content_to_position())?,
            ],
        })
    }

    /// `[B, H, T, T]`.
    pub(crate) fn forward(&self, of: Scored<'_>, distances: &Distances) -> Tensor {
        let HeadShape { heads, head_width, .. } = self.shape;
        let vectors = dropout(&distances.vectors, of.dropout, of.train);
        // The vectors as queries or as keys, to be multiplied with: [H, W, N].
        let project = |i: usize| {
            let linear = self.own[i].as_ref().unwrap_or(of.layers[i]);
            linear.forward_t(&vectors, of.train).view([-1, heads, head_width]).permute([1, 2, 0])
        };
        let pairs = distances.pairs.unsqueeze(0).unsqueeze(0);
        let to_position = self
            .terms
            .content_to_position()
            .then(|| (of.q * of.scale).matmul(&project(1)).take_along_dim(&pairs, -1));
        let to_content = self.terms.position_to_content().then(|| {
            let scores = (of.k * of.scale).matmul(&project(0));
            scores.take_along_dim(&pairs.transpose(2, 3), -1).transpose(2, 3)
        });
        match (to_position, to_content) {
            (Some(a), Some(b)) => a + b,
            (Some(a), None) | (None, Some(a)) => a,
            // One of them there always is.
            (None, None) => of.q.new_zeros([1], (Kind::Float, of.q.device())),
        }
    }

    /// The same in a graph.
    pub(crate) fn onnx(
        &self,
        e: &Exporter,
        of: GraphScored<'_>,
        distances: &GraphDistances,
    ) -> Option<Value> {
        let HeadShape { heads, head_width, .. } = self.shape;
        let project = |i: usize| {
            let linear = self.own[i].as_ref().unwrap_or(of.layers[i]);
            let vectors = linear.onnx(e, &distances.vectors);
            vectors.reshape(&[-1, heads, head_width]).permute(&[1, 2, 0])
        };
        let to_position = self.terms.content_to_position().then(|| {
            (of.q * of.scale).matmul(&project(1)).gather_last(&of.for_each_head(&distances.pairs))
        });
        let to_content = self.terms.position_to_content().then(|| {
            let scores = (of.k * of.scale).matmul(&project(0));
            let pairs = of.for_each_head(&distances.pairs.permute(&[1, 0]));
            scores.gather_last(&pairs).permute(&[0, 1, 3, 2])
        });
        match (to_position, to_content) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_distances_share_buckets() {
        let config = DisentangledConfig {
            span: 8,
            max_distance: Some(32),
            terms: DisentangledTerms::Both,
            projections: PositionProjections::Shared,
            norm: None,
        };
        let pairs = config.of_pairs(40);
        let first: Vec<i64> = Vec::try_from(pairs.select(1, 0)).unwrap();
        // As `make_log_bucket_position` of transformers.
        assert_eq!(first[..10], [8, 9, 10, 11, 12, 13, 13, 13, 14, 14]);
        assert_eq!((pairs.int64_value(&[0, 3]), pairs.int64_value(&[39, 0])), (5, 15));
        let plain = DisentangledConfig { max_distance: None, ..config }.of_pairs(40);
        assert_eq!((plain.int64_value(&[0, 30]), plain.int64_value(&[30, 0])), (0, 15));
    }
}

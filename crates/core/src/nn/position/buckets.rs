//! Relative position biases in buckets (Raffel et al. 2020, T5, §2.1).

use serde::{Deserialize, Serialize};
use tch::nn::Init;
use tch::{Device, Kind, Tensor};

use crate::error::Result;
use crate::nn::exporter::Exporter;
use crate::onnx::Value;
use crate::weights::VarBuilder;

/// A bias for each head and each bucket of distances: near ones have a bucket each, far ones share
/// buckets that grow with the logarithm, and both directions have their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketConfig {
    /// The number of buckets, of both directions.
    pub buckets: i64,
    /// All distances from here on share the last bucket.
    pub max_distance: i64,
}

impl BucketConfig {
    /// What is wrong with it.
    pub(crate) fn problem(&self) -> Option<String> {
        let fits = self.buckets >= 4 && self.max_distance > self.buckets / 4;
        (!fits).then(|| {
            format!(
                "{} buckets of distances up to {}: at least 4 buckets, and the distance above a \
                 quarter of them",
                self.buckets, self.max_distance
            )
        })
    }

    /// The bucket of every pair of positions: `[T, T]`, of the query, then of the key.
    pub(crate) fn of_pairs(&self, t: i64) -> Tensor {
        let positions = Tensor::arange(t, (Kind::Int64, Device::Cpu));
        self.of(&(positions.unsqueeze(0) - positions.unsqueeze(1)))
    }

    /// The bucket of keys that are so far ahead of their queries.
    fn of(&self, ahead: &Tensor) -> Tensor {
        let half = self.buckets / 2;
        let exact = half / 2;
        let distance = ahead.abs();
        let far = (distance.to_kind(Kind::Float) / exact as f64).log()
            / (self.max_distance as f64 / exact as f64).ln()
            * (half - exact) as f64;
        let far = (far.to_kind(Kind::Int64) + exact).clamp_max(half - 1);
        let near = distance.lt(exact);
        distance.where_self(&near, &far) + ahead.gt(0).to_kind(Kind::Int64) * half
    }
}

/// The table of biases, shared by all blocks.
#[derive(Debug)]
pub(crate) struct BucketBias {
    config: BucketConfig,
    /// `[buckets, heads]`.
    weight: Tensor,
}

impl BucketBias {
    /// `weight [buckets, heads]` below `vb`.
    pub(crate) fn new(vb: &VarBuilder<'_>, config: BucketConfig, heads: i64) -> Result<Self> {
        let normal = Init::Randn { mean: 0., stdev: 0.02 };
        Ok(Self { config, weight: vb.param("weight", &[config.buckets, heads], normal)? })
    }

    /// `[1, heads, T, T]`.
    pub(crate) fn forward(&self, t: i64) -> Tensor {
        let buckets = self.config.of_pairs(t).to_device(self.weight.device());
        Tensor::embedding(&self.weight, &buckets, -1, false, false).permute([2, 0, 1]).unsqueeze(0)
    }

    /// The same in a graph, of how far each key is ahead of each query, `[T, T]`.
    pub(crate) fn onnx(&self, e: &Exporter, ahead: &Value) -> Value {
        // Beyond, nothing changes. Logarithms here and elsewhere may differ at the borders.
        let farthest = 2 * self.config.max_distance;
        let all = Tensor::arange_start(-farthest, farthest + 1, (Kind::Int64, Device::Cpu));
        let by_distance = e.parameter(&self.weight).rows(&e.constant(&self.config.of(&all)));
        let numbers = ahead.clamp(-farthest as f64, farthest as f64) + farthest as f64;
        by_distance.rows(&numbers).permute(&[2, 0, 1]).unsqueeze(&[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_distances_have_a_bucket_each_and_far_ones_share() {
        let pairs = BucketConfig { buckets: 32, max_distance: 128 }.of_pairs(200);
        let bucket = |query, key| pairs.int64_value(&[query, key]);
        // As `MPNetEncoder.relative_position_bucket` of transformers.
        for (query, key, want) in
            [(5, 5, 0), (5, 0, 5), (0, 5, 21), (20, 0, 10), (0, 100, 31), (150, 0, 15), (0, 8, 24)]
        {
            assert_eq!(bucket(query, key), want, "{query}, {key}");
        }
    }
}

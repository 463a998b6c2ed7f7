//! Pools: from a trunk's output to one vector, or to one at each position.

use std::fmt;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::exporter::{GraphFeatures, GraphSequence};
use super::features::{FeatureShape, Features, Sequence, masked_mean, masked_mean_onnx};
use crate::onnx::{Element, Value};

/// How a trunk's output becomes one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// The first position: BERT's `[CLS]`.
    First,
    /// The last position that holds data: GPT-2.
    Last,
    /// The mean over the positions that hold data, or over each channel.
    Mean,
    /// The first two positions, one behind the other: DeiT with a teacher.
    FirstTwo,
    /// The mean of the first two positions: AST.
    MeanOfFirstTwo,
    /// The first position, and behind it the mean of all others: DINOv2.
    FirstAndMean,
    /// The mean over the positions that hold data of every hidden state of a transformer, of which the
    /// head learns a weighted sum: of what the embedder makes, and of what each block makes, the last
    /// behind the final norm (s3prl; Whisper).
    WeightedLayers,
    /// The same with the last block's ahead of the final norm: wav2vec2 in transformers 5.
    WeightedBlocks,
    /// The mean over the patches that hold data, without the tokens before them: BEiT, CLIP.
    MeanOfPatches,
    /// What a learned query finds by attention among them: SigLIP. It has parameters, those of the
    /// last part of the trunk.
    Attention,
    /// None: a vector at every position, where the answer is a sequence. Of a feature map or of patches,
    /// one for each column, the mean over its rows.
    Positions,
    /// The same of every hidden state of a transformer, of which the head learns a weighted sum at every
    /// position, as of [`WeightedLayers`](Self::WeightedLayers).
    WeightedPositions,
}

impl Pool {
    /// Whether features of this form can be pooled so.
    pub fn takes(self, form: FeatureShape) -> bool {
        match form {
            FeatureShape::Sequence { .. } => true,
            FeatureShape::FeatureMap { .. } => matches!(self, Self::Mean | Self::Positions),
        }
    }

    /// The length of the vector that comes of features of width `D`.
    pub fn width(self, width: i64) -> i64 {
        match self {
            Self::First | Self::Last | Self::Mean | Self::MeanOfFirstTwo => width,
            Self::MeanOfPatches | Self::Attention => width,
            Self::WeightedLayers | Self::WeightedBlocks => width,
            Self::Positions | Self::WeightedPositions => width,
            Self::FirstTwo | Self::FirstAndMean => 2 * width,
        }
    }

    /// Whether every hidden state is pooled, and not the trunk's output alone.
    pub(super) fn is_over_layers(self) -> bool {
        matches!(self, Self::WeightedLayers | Self::WeightedBlocks | Self::WeightedPositions)
    }

    /// Whether positions are left, and not pooled.
    pub fn leaves_positions(self) -> bool {
        matches!(self, Self::Positions | Self::WeightedPositions)
    }

    /// The same where the answer is a sequence: over the layers if this is, else of the trunk's output.
    pub fn at_positions(self) -> Self {
        if self.is_over_layers() { Self::WeightedPositions } else { Self::Positions }
    }

    /// `[B, T, D]` or `[B, D, H, W]` to `[B, D]` or, where [`width`](Self::width) says so,
    /// `[B, 2D]`. Positions [are left](Self::leaves_positions) by [`Encoder`](super::encoder::Encoder)
    /// alone; here they are averaged.
    pub fn forward(self, features: &Features) -> Tensor {
        self.forward_behind(0, features)
    }

    /// The same of a sequence whose first `prefix` positions are no patches. [`Pool::Attention`] is the
    /// mean here, without its parameters.
    pub(super) fn forward_behind(self, prefix: i64, features: &Features) -> Tensor {
        let (x, mask) = match features {
            Features::Sequence(Sequence { x, attention_mask: mask }) => (x, mask.as_ref()),
            // The mean is the only other pool of a feature map.
            Features::FeatureMap(x) => return x.mean_dim([2, 3].as_slice(), false, None),
        };
        match self {
            Self::First => x.select(1, 0),
            Self::Last => last(x, mask),
            // Of one of the hidden states.
            Self::Mean | Self::WeightedLayers | Self::WeightedBlocks => masked_mean(x, mask, 1),
            Self::Positions | Self::WeightedPositions => masked_mean(x, mask, 1),
            Self::FirstTwo => Tensor::cat(&[x.select(1, 0), x.select(1, 1)], 1),
            Self::MeanOfFirstTwo => x.narrow(1, 0, 2).mean_dim([1].as_slice(), false, None),
            Self::FirstAndMean => {
                Tensor::cat(&[x.select(1, 0), mean_behind(prefix.max(1), x, mask)], 1)
            }
            Self::MeanOfPatches | Self::Attention => mean_behind(prefix, x, mask),
        }
    }
}

/// In a graph.
impl Pool {
    /// As [`forward_behind`](Self::forward_behind).
    pub(super) fn onnx_behind(self, prefix: i64, features: &GraphFeatures) -> Value {
        let (x, mask) = match features {
            GraphFeatures::Sequence(GraphSequence { x, attention_mask: mask }) => (x, mask),
            GraphFeatures::FeatureMap(map) => return map.x.mean(&[2, 3], false),
        };
        let mean = |prefix: i64| {
            let behind = |x: &Value| match prefix {
                0 => x.clone(),
                prefix => x.narrow_from(1, prefix),
            };
            masked_mean_onnx(&behind(x), mask.as_ref().map(behind).as_ref(), 1)
        };
        match self {
            Self::First => x.select(1, 0),
            Self::Last => match mask {
                None => x.select(1, -1),
                Some(mask) => {
                    let count = mask.to(Element::I64).sum(&[1], true);
                    x.position_of_each(&(count - 1.).clamp_min(0.))
                }
            },
            Self::Mean | Self::WeightedLayers | Self::WeightedBlocks => mean(0),
            Self::Positions | Self::WeightedPositions => mean(0),
            Self::FirstTwo => Value::cat(&[&x.select(1, 0), &x.select(1, 1)], 1),
            Self::MeanOfFirstTwo => x.narrow(1, 0, 2).mean(&[1], false),
            Self::FirstAndMean => Value::cat(&[&x.select(1, 0), &mean(prefix.max(1))], 1),
            Self::MeanOfPatches | Self::Attention => mean(prefix),
        }
    }
}

fn mean_behind(prefix: i64, x: &Tensor, mask: Option<&Tensor>) -> Tensor {
    let behind = |x: &Tensor| x.narrow(1, prefix, x.size()[1] - prefix);
    masked_mean(&behind(x), mask.map(behind).as_ref(), 1)
}

fn last(x: &Tensor, mask: Option<&Tensor>) -> Tensor {
    let Some(mask) = mask else { return x.select(1, -1) };
    let last = mask.sum_dim_intlist([1].as_slice(), true, Kind::Int64) - 1;
    x.take_along_dim(&last.clamp_min(0).unsqueeze(-1), 1).squeeze_dim(1)
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "first",
            Self::Last => "last",
            Self::Mean => "mean",
            Self::FirstTwo => "first two",
            Self::MeanOfFirstTwo => "mean of the first two",
            Self::FirstAndMean => "first and mean",
            Self::WeightedLayers => "weighted layers",
            Self::WeightedBlocks => "weighted blocks",
            Self::MeanOfPatches => "mean of patches",
            Self::Attention => "attention",
            Self::Positions => "positions",
            Self::WeightedPositions => "weighted-positions",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_leave_out_what_holds_no_data() {
        let x = || Tensor::from_slice(&[1f32, 2., 3., 10., 20., 30.]).view([2, 3, 1]);
        let mask = Tensor::from_slice(&[true, true, false, true, true, true]).view([2, 3]);
        for (pool, whole, kept) in [
            (Pool::First, &[1., 10.][..], &[1., 10.][..]),
            (Pool::Last, &[3., 30.], &[2., 30.]),
            (Pool::Mean, &[2., 20.], &[1.5, 20.]),
            (Pool::FirstTwo, &[1., 2., 10., 20.], &[1., 2., 10., 20.]),
            (Pool::MeanOfFirstTwo, &[1.5, 15.], &[1.5, 15.]),
            (Pool::FirstAndMean, &[1., 2.5, 10., 25.], &[1., 2., 10., 25.]),
            (Pool::MeanOfPatches, &[2., 20.], &[1.5, 20.]),
        ] {
            for (mask, want) in [(None, whole), (Some(mask.shallow_clone()), kept)] {
                let got =
                    pool.forward(&Features::Sequence(Sequence { x: x(), attention_mask: mask }));
                assert_eq!(got.size(), [2, pool.width(1)], "{pool}");
                assert_eq!(Vec::<f32>::try_from(got.view(-1)).unwrap(), want, "{pool}");
            }
        }
        let patches = Features::Sequence(Sequence { x: x(), attention_mask: Some(mask) });
        let behind = |pool: Pool| Vec::<f32>::try_from(pool.forward_behind(1, &patches).view(-1));
        assert_eq!(behind(Pool::MeanOfPatches).unwrap(), [2., 25.]);
        assert_eq!(behind(Pool::Mean).unwrap(), [1.5, 20.]);
        let planes = Features::FeatureMap(x().view([2, 1, 3, 1]));
        assert_eq!(Vec::<f32>::try_from(Pool::Mean.forward(&planes).view(-1)).unwrap(), [2., 20.]);
        assert!(!Pool::First.takes(FeatureShape::FeatureMap { channels: 1 }));
    }
}

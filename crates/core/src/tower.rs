//! A tower: embedder, trunk and pool, joined once their forms are known to fit; and a head on top.

use std::fmt;

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::{Batch, Embedder, Error, Features, Result, Scope, Sequence, Trunk, layers::Linear};

/// How a trunk's output becomes one vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pool {
    /// The first place: BERT's `[CLS]`.
    First,
    /// The last place that holds data: GPT-2.
    Last,
    /// The mean over the places that hold data.
    Mean,
}

impl Pool {
    /// `[B, T, D]` to `[B, D]`.
    pub fn forward(self, features: &Features) -> Tensor {
        let Features::Sequence(Sequence { x, keep }) = features;
        match (self, keep) {
            (Self::First, _) => x.select(1, 0),
            (Self::Last, None) => x.select(1, -1),
            (Self::Last, Some(keep)) => {
                let last = keep.sum_dim_intlist([1].as_slice(), true, tch::Kind::Int64) - 1;
                x.take_along_dim(&last.clamp_min(0).unsqueeze(-1), 1).squeeze_dim(1)
            }
            (Self::Mean, None) => x.mean_dim([1].as_slice(), false, None),
            (Self::Mean, Some(keep)) => {
                let keep = keep.unsqueeze(-1).to_kind(x.kind());
                let kept = keep.sum_dim_intlist([1].as_slice(), false, None).clamp_min(1);
                (x * keep).sum_dim_intlist([1].as_slice(), false, None) / kept
            }
        }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::First => "first",
            Self::Last => "last",
            Self::Mean => "mean",
        })
    }
}

/// From a batch to one vector per sample.
#[derive(Debug)]
pub struct Tower {
    embedder: Box<dyn Embedder>,
    trunk: Trunk,
    pool: Pool,
}

impl Tower {
    /// Joins the three.
    ///
    /// # Errors
    /// If the embedder emits another form than the trunk accepts.
    pub fn join(embedder: Box<dyn Embedder>, trunk: Trunk, pool: Pool) -> Result<Self> {
        let (emits, accepts) = (embedder.emits(), trunk.accepts());
        if emits != accepts {
            return Err(Error::Form { emits, accepts });
        }
        Ok(Self { embedder, trunk, pool })
    }

    /// The length of a feature vector, `D`.
    pub fn width(&self) -> i64 {
        self.trunk.width()
    }

    /// Feature vectors `[B, D]`; `train` turns on dropout.
    pub fn forward(&self, batch: &Batch, train: bool) -> Tensor {
        let features = self.embedder.embed(batch, train);
        self.pool.forward(&self.trunk.forward(&features, train))
    }
}

/// A tower with a linear head.
#[derive(Debug)]
pub struct Classifier {
    tower: Tower,
    head: Linear,
}

impl Classifier {
    /// Puts a head for `classes` on a tower, at `at` (`head` in a model).
    pub fn new(at: &Scope<'_>, tower: Tower, classes: usize) -> Result<Self> {
        let head = Linear::new(at, tower.width(), classes as i64)?;
        Ok(Self { tower, head })
    }

    /// The tower below the head.
    pub fn tower(&self) -> &Tower {
        &self.tower
    }

    /// The device that the parameters live on.
    pub fn device(&self) -> tch::Device {
        self.head.device()
    }

    /// Logits `[B, classes]`; `train` turns on dropout.
    pub fn forward(&self, batch: &Batch, train: bool) -> Tensor {
        self.head.forward(&self.tower.forward(batch, train))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_leave_out_what_holds_no_data() {
        let x = || Tensor::from_slice(&[1f32, 2., 3., 10., 20., 30.]).view([2, 3, 1]);
        let keep = Tensor::from_slice(&[true, true, false, true, true, true]).view([2, 3]);
        for (pool, whole, kept) in [
            (Pool::First, [1., 10.], [1., 10.]),
            (Pool::Last, [3., 30.], [2., 30.]),
            (Pool::Mean, [2., 20.], [1.5, 20.]),
        ] {
            for (keep, want) in [(None, whole), (Some(keep.shallow_clone()), kept)] {
                let got = pool.forward(&Features::Sequence(Sequence { x: x(), keep }));
                assert_eq!(Vec::<f32>::try_from(got.view(-1)).unwrap(), want, "{pool}");
            }
        }
    }
}

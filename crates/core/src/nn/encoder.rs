//! The encoder: embedder, trunk and pool, joined once their feature shapes are known to fit.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::attention_pool::AttentionPool;
use super::embed::Embedder;
use super::features::{Batch, FeatureShape, Features, Sequence, TokenLayout};
use super::layers::BatchNormStats;
use super::pool::Pool;
use super::trunk::Trunk;
use crate::error::{Error, Result};
use crate::weights::VarBuilder;

/// A cut point of a classifier. The activations there are held as a [`Batch`], whatever their
/// shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CutPoint {
    /// Below everything: a batch of inputs.
    Inputs,
    /// Below this part of the trunk: a sequence `[B, T, D]` or a feature map `[B, C, H, W]`. The
    /// trunk's depth: below its final norm, if there is one.
    Trunk(usize),
    /// Below the head: vectors `[B, D]`.
    Pooled,
}

/// From a batch to one vector per sample.
#[derive(Debug)]
pub struct Encoder {
    embedder: Box<dyn Embedder>,
    trunk: Trunk,
    pool: Pool,
    /// The parameters of the pool, if it has any.
    attention: Option<AttentionPool>,
    /// Tokens before the patches of a picture.
    prefix: i64,
}

impl Encoder {
    /// Joins embedder, trunk and pool; [`with_pool_parameters`](Self::with_pool_parameters) adds those
    /// of a [`Pool::Attention`].
    ///
    /// # Errors
    /// If the embedder emits features of another shape than the trunk accepts, or the pool does not
    /// take what the trunk emits.
    pub fn join(embedder: Box<dyn Embedder>, mut trunk: Trunk, pool: Pool) -> Result<Self> {
        let (emits, accepts) = (embedder.emits(), trunk.accepts());
        if emits != accepts {
            let (emits, accepts) = (emits.to_string(), accepts.to_string());
            return Err(Error::FeatureShape { emits, accepts });
        }
        if !pool.takes(accepts) {
            let problem = format!("{pool} does not pool {accepts}; choose mean");
            return Err(Error::setting("--pool", problem));
        }
        let prefix = match embedder.layout() {
            TokenLayout::Sequence => 0,
            TokenLayout::Grid { prefix, .. } => prefix,
        };
        trunk.set_layout(embedder.layout());
        Ok(Self { embedder, trunk, pool, attention: None, prefix })
    }

    /// The same with the pool's parameters, if it has any: `query` and those of its attention and its
    /// MLP, below `vb` (`trunk.pool` in a model).
    ///
    /// # Errors
    /// If the source of `vb` lacks a tensor.
    pub fn with_pool_parameters(self, vb: &VarBuilder<'_>) -> Result<Self> {
        let attention = match (self.pool, &self.trunk) {
            (Pool::Attention, Trunk::Transformer(t)) => Some(AttentionPool::new(vb, t.config())?),
            _ => None,
        };
        Ok(Self { attention, ..self })
    }

    /// The length of a feature vector, `D`.
    pub fn width(&self) -> i64 {
        self.pool.width(self.trunk.width())
    }

    /// The embedder's output.
    pub fn embed(&self, batch: &Batch, train: bool) -> Features {
        self.embedder.embed(batch, train)
    }

    /// Initialises the embedder's new parameters from a batch; see [`Embedder::init_from_data`].
    pub fn init_from_data(&self, batch: &Batch) {
        self.embedder.init_from_data(batch);
    }

    /// Decides whether batch-norm running statistics are updated.
    pub fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        self.embedder.set_batch_norm_stats(statistics);
        self.trunk.set_batch_norm_stats(statistics);
    }

    /// The trunk's output.
    pub fn trunk_output(&self, batch: &Batch, train: bool) -> Features {
        self.trunk.forward(&self.embed(batch, train), train)
    }

    fn pooled(&self, features: &Features) -> Tensor {
        match (&self.attention, features) {
            (Some(pool), Features::Sequence(sequence)) => {
                pool.forward_behind(self.prefix, sequence)
            }
            _ => self.pool.forward_behind(self.prefix, features),
        }
    }

    /// Feature vectors `[B, D]`; `train` turns on dropout.
    pub fn forward(&self, batch: &Batch, train: bool) -> Tensor {
        self.pooled(&self.trunk_output(batch, train))
    }

    /// From inputs to the activations at a cut point, as frozen parts compute them: without
    /// dropout, gradients or updates of running statistics.
    pub fn forward_to(&self, batch: &Batch, cut: CutPoint) -> Batch {
        let _frozen = tch::no_grad_guard();
        match cut {
            CutPoint::Inputs => batch.shallow_clone(),
            CutPoint::Trunk(part) => {
                match self.trunk.forward_range(&self.embed(batch, false), 0..part, false) {
                    Features::Sequence(Sequence { x, attention_mask: mask }) => {
                        Batch { x, attention_mask: mask }
                    }
                    Features::FeatureMap(x) => Batch { x, attention_mask: None },
                }
            }
            CutPoint::Pooled => Batch { x: self.forward(batch, false), attention_mask: None },
        }
    }

    /// From the activations at a cut point to feature vectors `[B, D]`; `train` turns on dropout.
    pub fn forward_from(&self, batch: &Batch, cut: CutPoint, train: bool) -> Tensor {
        match cut {
            CutPoint::Inputs => self.forward(batch, train),
            CutPoint::Trunk(part) => {
                let Batch { x, attention_mask: mask } = batch.shallow_clone();
                let features = match self.trunk.accepts() {
                    FeatureShape::Sequence { .. } => {
                        Features::Sequence(Sequence { x, attention_mask: mask })
                    }
                    FeatureShape::FeatureMap { .. } => Features::FeatureMap(x),
                };
                self.pooled(&self.trunk.forward_range(&features, part..usize::MAX, train))
            }
            CutPoint::Pooled => batch.x.shallow_clone(),
        }
    }
}

//! The encoder: embedder, trunk and pool, joined once their feature shapes are known to fit.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::attention_pool::AttentionPool;
use super::embed::Embedder;
use super::features::{Batch, FeatureShape, Features, Sequence, TokenLayout, masked_mean};
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
    /// trunk's depth: below its final norm, if there is one. Where every hidden state is pooled, the
    /// means of those further below stand before the sequence.
    Trunk(usize),
    /// Below the head: vectors `[B, D]`, or `[B, L, D]` where every hidden state is pooled, or `[B, T, D]`
    /// of all positions.
    Pooled,
}

/// From a batch to one vector per sample, or to one of each hidden state.
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
        if pool.is_over_layers() && trunk.states_to(0).is_none() {
            let problem = format!("{pool}: this trunk is no transformer; choose mean");
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

    /// The number of hidden states that are pooled, each by itself; `None`: the trunk's output alone.
    pub fn layers(&self) -> Option<i64> {
        self.trunk.states_to(usize::MAX).filter(|_| self.pool.is_over_layers())
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

    /// What is pooled, and which of the positions hold data, if the pool leaves any.
    fn pooled(&self, features: &Features) -> Batch {
        let x = match (&self.attention, features) {
            (Some(pool), Features::Sequence(sequence)) => {
                pool.forward_behind(self.prefix, sequence)
            }
            _ => self.pool.forward_behind(self.prefix, features),
        };
        let attention_mask = match features {
            Features::Sequence(Sequence { attention_mask: Some(mask), .. })
                if self.pool == Pool::Positions =>
            {
                Some(mask.shallow_clone())
            }
            _ => None,
        };
        Batch { x, attention_mask }
    }

    /// Feature vectors `[B, D]`, or `[B, L, D]` of [`layers`](Self::layers), or `[B, T, D]` of all
    /// positions; `train` turns on dropout.
    pub fn forward(&self, batch: &Batch, train: bool) -> Tensor {
        self.forward_masked(batch, train).x
    }

    /// The same, with which of the positions hold data.
    fn forward_masked(&self, batch: &Batch, train: bool) -> Batch {
        self.pool_from(0, &self.embed(batch, train), vec![], train)
    }

    /// From inputs to the activations at a cut point, as frozen parts compute them: without
    /// dropout, gradients or updates of running statistics.
    pub fn forward_to(&self, batch: &Batch, cut: CutPoint) -> Batch {
        let _frozen = tch::no_grad_guard();
        match cut {
            CutPoint::Inputs => batch.shallow_clone(),
            CutPoint::Trunk(part) => {
                let (mut below, embedded) = (vec![], self.embed(batch, false));
                match self.through(0..part, &embedded, &mut below, false) {
                    Features::Sequence(sequence) => {
                        // The last is that of the sequence itself.
                        below.pop();
                        behind(below, sequence)
                    }
                    Features::FeatureMap(x) => Batch { x, attention_mask: None },
                }
            }
            CutPoint::Pooled => self.forward_masked(batch, false),
        }
    }

    /// From the activations at a cut point to what [`forward`](Self::forward) makes; `train` turns on
    /// dropout.
    pub fn forward_from(&self, batch: &Batch, cut: CutPoint, train: bool) -> Tensor {
        self.pooled_from(batch, cut, train).x
    }

    /// The same, with which of the positions hold data, where the pool leaves any.
    pub(super) fn pooled_from(&self, batch: &Batch, cut: CutPoint, train: bool) -> Batch {
        match cut {
            CutPoint::Inputs => self.forward_masked(batch, train),
            CutPoint::Trunk(part) => {
                let Batch { x, attention_mask: mask } = batch.shallow_clone();
                let (below, features) = match self.trunk.accepts() {
                    FeatureShape::Sequence { .. } => {
                        let states = self.layers().and_then(|_| self.trunk.states_to(part));
                        let sequence = Sequence { x, attention_mask: mask };
                        let (below, sequence) = apart(sequence, states.map_or(0, |n| n - 1));
                        (below, Features::Sequence(sequence))
                    }
                    FeatureShape::FeatureMap { .. } => (vec![], Features::FeatureMap(x)),
                };
                self.pool_from(part, &features, below, train)
            }
            CutPoint::Pooled => batch.shallow_clone(),
        }
    }

    /// What [`forward`](Self::forward) makes of features that enter a part of the trunk, and of the
    /// pooled hidden states below them.
    fn pool_from(
        &self,
        part: usize,
        features: &Features,
        mut states: Vec<Tensor>,
        train: bool,
    ) -> Batch {
        let output = self.through(part..usize::MAX, features, &mut states, train);
        if self.layers().is_none() {
            return self.pooled(&output);
        }
        if self.pool == Pool::WeightedLayers {
            states.pop();
            states.push(self.pool.forward(&output));
        }
        Batch { x: Tensor::stack(&states, 1), attention_mask: None }
    }

    /// Through some parts of the trunk. Where every hidden state is pooled, those that enter a block
    /// or leave the last are added to `states`, `[B, D]` each.
    fn through(
        &self,
        parts: Range<usize>,
        features: &Features,
        states: &mut Vec<Tensor>,
        train: bool,
    ) -> Features {
        let (Some(_), Features::Sequence(sequence)) = (self.layers(), features) else {
            return self.trunk.forward_range(features, parts, train);
        };
        let mask = sequence.attention_mask.as_ref();
        let each = &mut |x: &Tensor| states.push(masked_mean(x, mask, 1));
        self.trunk.forward_each(features, parts, train, each)
    }
}

/// A sequence with pooled hidden states as its first positions: `[B, states + T, D]`.
fn behind(states: Vec<Tensor>, Sequence { x, attention_mask }: Sequence) -> Batch {
    if states.is_empty() {
        return Batch { x, attention_mask };
    }
    let states = Tensor::stack(&states, 1);
    let there = Tensor::ones(&states.size()[..2], (Kind::Bool, x.device()));
    let attention_mask = attention_mask.map(|mask| Tensor::cat(&[there, mask], 1));
    Batch { x: Tensor::cat(&[states, x], 1), attention_mask }
}

/// The reverse: so many pooled hidden states, and the sequence.
fn apart(sequence: Sequence, states: i64) -> (Vec<Tensor>, Sequence) {
    if states == 0 {
        return (vec![], sequence);
    }
    let Sequence { x, attention_mask } = sequence;
    // Whole, so that what is computed of it is what it would be without the states.
    let rest = |x: Tensor| x.slice(1, states, None, 1).contiguous();
    let pooled = x.narrow(1, 0, states).unbind(1);
    (pooled, Sequence { x: rest(x), attention_mask: attention_mask.map(rest) })
}

//! The encoder: embedder, trunk and pool, joined once their feature shapes are known to fit.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::activations::Activations;
use super::attention_pool::AttentionPool;
use super::embed::Embedder;
use super::features::{Batch, FeatureShape, Features, Sequence, TokenLayout, masked_mean};
use super::layers::BatchNormStats;
use super::pool::Pool;
use super::positions::Reading;
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
    /// means of those further below stand before the sequence, or, where positions are left, they
    /// themselves beside it. The mask of what sees its padding (a feature map, Whisper's sequence) is that
    /// of the positions that answer, `[B, T]`, where those are left.
    Trunk(usize),
    /// Below the head: vectors `[B, D]`, or `[B, L, D]` where every hidden state is pooled, or `[B, T, D]`
    /// of all positions, or `[B, T, L, D]`.
    Pooled,
}

/// From a batch to one vector per sample, or to one of each hidden state.
#[derive(Debug)]
pub struct Encoder {
    pub(super) embedder: Box<dyn Embedder>,
    pub(super) trunk: Trunk,
    pub(super) pool: Pool,
    /// The parameters of the pool, if it has any.
    pub(super) attention: Option<AttentionPool>,
    /// Tokens before the patches of a picture.
    pub(super) prefix: i64,
    /// Where the positions of the trunk's output are.
    pub(super) reading: Reading,
    /// The parts of the trunk, without a final norm.
    depth: usize,
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
        let reading = Reading { layout: embedder.layout(), order: embedder.order() };
        let depth = trunk.depth();
        Ok(Self { embedder, trunk, pool, attention: None, prefix, reading, depth })
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

    /// Whether the trunk sees padding as it sees data: a mask tells which positions answer, and nothing
    /// else.
    pub(crate) fn sees_padding(&self) -> bool {
        matches!(self.trunk.accepts(), FeatureShape::FeatureMap { .. })
            || self.embedder.attends_to_padding()
    }

    /// Whether what flows through the trunk of another encoder can go on through this one's: positions
    /// are alike, and as much of what is on the way is kept.
    pub(crate) fn goes_with(&self, other: &Self) -> bool {
        let kept = |encoder: &Self| {
            let pool = encoder.pool;
            let positions = pool.is_over_layers() || encoder.sees_padding();
            (pool.is_over_layers(), pool.leaves_positions() && positions)
        };
        self.reading == other.reading && kept(self) == kept(other)
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

    /// Numbers at the positions of the embedder's output as a grid, and the sum of those that have no place
    /// in it: see [`Reading::grid`].
    pub(crate) fn grid(&self, x: &Tensor) -> (Tensor, Tensor) {
        self.reading.grid(x)
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

    /// See [`Trunk::recompute_activations`].
    pub(crate) fn recompute_activations(&self) -> bool {
        self.trunk.recompute_activations()
    }

    /// The trunk's output.
    pub fn trunk_output(&self, batch: &Batch, train: bool) -> Features {
        self.trunk.forward(&self.embed(batch, train), train)
    }

    /// What is pooled, and which of the positions hold data, if the pool leaves any. `mask` is that of the
    /// positions of what sees its padding.
    fn pooled(&self, features: &Features, mask: Option<&Tensor>) -> Batch {
        if self.pool.leaves_positions() {
            let Sequence { x, attention_mask } = self.reading.sequence(features, mask);
            return Batch { x, attention_mask };
        }
        let x = match (&self.attention, features) {
            (Some(pool), Features::Sequence(sequence)) => {
                pool.forward_behind(self.prefix, sequence)
            }
            _ => self.pool.forward_behind(self.prefix, features),
        };
        Batch { x, attention_mask: None }
    }

    /// Feature vectors `[B, D]`, or `[B, L, D]` of [`layers`](Self::layers), or `[B, T, D]` of all
    /// positions, or `[B, T, L, D]`; `train` turns on dropout.
    pub fn forward(&self, batch: &Batch, train: bool) -> Tensor {
        self.forward_masked(batch, train).x
    }

    /// The same, with which of the positions hold data.
    fn forward_masked(&self, batch: &Batch, train: bool) -> Batch {
        let entering = self.entering(batch, train);
        self.pool_from(0, entering, train)
    }

    /// What enters the trunk.
    pub(crate) fn entering(&self, batch: &Batch, train: bool) -> Activations {
        let features = self.embed(batch, train);
        let is_followed = self.pool.leaves_positions() && self.sees_padding();
        let mask = batch.attention_mask.as_ref().filter(|_| is_followed);
        let mask = self.reading.follow(mask.map(Tensor::shallow_clone), &features);
        Activations { features, mask, states: vec![] }
    }

    /// From the activations at a cut point, which may be the inputs, to those at a later one, as frozen
    /// parts compute them: without dropout, gradients or updates of running statistics.
    pub fn forward_between(&self, batch: &Batch, from: CutPoint, to: CutPoint) -> Batch {
        let _frozen = tch::no_grad_guard();
        match (from, to) {
            (_, CutPoint::Inputs) | (CutPoint::Pooled, _) => batch.shallow_clone(),
            (from, CutPoint::Trunk(part)) => {
                let (first, entering) = match from {
                    CutPoint::Trunk(first) => (first, self.entering_part(first, batch)),
                    _ => (0, self.entering(batch, false)),
                };
                let Activations { features, mask, mut states } =
                    self.through(first..part, entering, false);
                match features {
                    Features::Sequence(Sequence { x, attention_mask }) => {
                        // The last is that of the sequence itself.
                        states.pop();
                        let attention_mask = attention_mask.or(mask);
                        self.behind(states, Sequence { x, attention_mask })
                    }
                    Features::FeatureMap(x) => Batch { x, attention_mask: mask },
                }
            }
            (from, CutPoint::Pooled) => self.pooled_from(batch, from, false),
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
            CutPoint::Trunk(part) => self.pool_from(part, self.entering_part(part, batch), train),
            CutPoint::Pooled => batch.shallow_clone(),
        }
    }

    /// What enters a part of the trunk, of the activations at the cut point before it.
    fn entering_part(&self, part: usize, batch: &Batch) -> Activations {
        let Batch { x, attention_mask: mask } = batch.shallow_clone();
        match self.trunk.accepts() {
            FeatureShape::Sequence { .. } => {
                let states = self.layers().and_then(|_| self.trunk.states_to(part));
                let sequence = Sequence { x, attention_mask: mask };
                let (states, sequence) = self.apart(sequence, states.map_or(0, |n| n - 1));
                let (sequence, mask) = match self.sees_padding() {
                    true => {
                        let Sequence { x, attention_mask: mask } = sequence;
                        (Sequence { x, attention_mask: None }, mask)
                    }
                    false => (sequence, None),
                };
                Activations { features: Features::Sequence(sequence), mask, states }
            }
            FeatureShape::FeatureMap { .. } => {
                Activations { features: Features::FeatureMap(x), mask, states: vec![] }
            }
        }
    }

    /// What [`forward`](Self::forward) makes of what enters a part of the trunk.
    pub(crate) fn pool_from(&self, part: usize, entering: Activations, train: bool) -> Batch {
        let Activations { features, mask, mut states } =
            self.through(part..usize::MAX, entering, train);
        let pooled = self.pooled(&features, mask.as_ref());
        if self.layers().is_none() {
            return pooled;
        }
        if self.pool == Pool::WeightedPositions {
            states = states.into_iter().map(|x| self.at_positions(x)).collect();
        }
        if self.pool != Pool::WeightedBlocks {
            states.pop();
            states.push(match self.pool {
                Pool::WeightedPositions => pooled.x,
                _ => self.pool.forward(&features),
            });
        }
        // The layers stand before the features: `[B, L, D]` or `[B, T, L, D]`.
        Batch { x: Tensor::stack(&states, -2), attention_mask: pooled.attention_mask }
    }

    /// A hidden state, `[B, T, D]`, at the positions of the output.
    fn at_positions(&self, x: Tensor) -> Tensor {
        let state = Features::Sequence(Sequence { x, attention_mask: None });
        self.reading.sequence(&state, None).x
    }

    /// Through some parts of the trunk. Where every hidden state is pooled, those that enter a block
    /// or leave the last are added to the states: `[B, D]` each, or `[B, T, D]` where positions are
    /// left.
    pub(crate) fn through(
        &self,
        parts: Range<usize>,
        entering: Activations,
        train: bool,
    ) -> Activations {
        let Activations { features, mask, mut states } = entering;
        match &features {
            Features::Sequence(sequence) if self.layers().is_some() => {
                let attended = sequence.attention_mask.as_ref();
                let each = &mut |x: &Tensor| {
                    states.push(match self.pool {
                        Pool::WeightedPositions => x.shallow_clone(),
                        _ => masked_mean(x, attended, 1),
                    });
                };
                let features = self.trunk.forward_each(&features, parts, train, each);
                Activations { features, mask, states }
            }
            Features::FeatureMap(_) if mask.is_some() => self.follow(parts, features, mask, train),
            _ => {
                let features = self.trunk.forward_range(&features, parts, train);
                Activations { features, mask, states }
            }
        }
    }

    /// Through some parts of the trunk, with which of a feature map's positions hold data behind each:
    /// part by part, so that a cut between them changes nothing.
    fn follow(
        &self,
        parts: Range<usize>,
        mut features: Features,
        mut mask: Option<Tensor>,
        train: bool,
    ) -> Activations {
        // The final norm counts as one part more.
        for part in parts.start..parts.end.min(self.depth + 1) {
            features = self.trunk.forward_range(&features, part..part + 1, train);
            mask = self.reading.follow(mask, &features);
        }
        Activations { features, mask, states: vec![] }
    }

    /// A sequence with pooled hidden states as its first positions, `[B, states + T, D]`; or, where
    /// positions are left, with those beside its own, `[B, T, (states + 1) · D]`.
    fn behind(&self, states: Vec<Tensor>, Sequence { x, attention_mask }: Sequence) -> Batch {
        if states.is_empty() {
            return Batch { x, attention_mask };
        }
        if self.pool.leaves_positions() {
            let all: Vec<Tensor> = states.into_iter().chain([x]).collect();
            return Batch { x: Tensor::cat(&all, 2), attention_mask };
        }
        let states = Tensor::stack(&states, 1);
        let there = Tensor::ones(&states.size()[..2], (Kind::Bool, x.device()));
        let attention_mask = attention_mask.map(|mask| Tensor::cat(&[there, mask], 1));
        Batch { x: Tensor::cat(&[states, x], 1), attention_mask }
    }

    /// The reverse: so many hidden states, and the sequence.
    fn apart(&self, sequence: Sequence, states: i64) -> (Vec<Tensor>, Sequence) {
        if states == 0 {
            return (vec![], sequence);
        }
        let Sequence { x, attention_mask } = sequence;
        // Whole, so that what is computed of it is what it would be without the states.
        let rest = |x: Tensor| x.slice(1, states, None, 1).contiguous();
        if self.pool.leaves_positions() {
            let mut all: Vec<Tensor> =
                x.chunk(states + 1, 2).iter().map(Tensor::contiguous).collect();
            let x = all.pop().unwrap_or(x);
            return (all, Sequence { x, attention_mask });
        }
        let pooled = x.narrow(1, 0, states).unbind(1);
        (pooled, Sequence { x: rest(x), attention_mask: attention_mask.map(rest) })
    }
}

//! The trunk of either kind, and what it is built from.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::convnet::{ConvNet, ConvNetConfig};
use super::swin::{Swin, SwinConfig};
use super::transformer::{Transformer, TransformerConfig};
use crate::error::{Error, Result};
use crate::nn::exporter::{Exporter, GraphFeatures};
use crate::nn::features::{FeatureShape, Features, TokenLayout};
use crate::nn::layers::BatchNormStats;
use crate::weights::VarBuilder;

/// What a trunk is built from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
// A model has one of it.
#[allow(clippy::large_enum_variant)]
pub enum TrunkConfig {
    /// A transformer.
    Transformer(TransformerConfig),
    /// A network of convolutions.
    #[serde(rename = "resnet", alias = "convnet")]
    ConvNet(ConvNetConfig),
    /// A transformer whose attention is within windows.
    Swin(SwinConfig),
}

impl TrunkConfig {
    /// The number of parts, in the order of the forward pass, which `below:N` counts: a
    /// transformer's blocks with parameters of their own, the stages of a convolutional network or of a
    /// windowed transformer.
    pub fn depth(&self) -> usize {
        match self {
            Self::Transformer(t) => t.distinct(),
            Self::ConvNet(r) => r.stages.len(),
            Self::Swin(s) => s.stages.len(),
        }
    }

    /// The shape of the features that the trunk takes.
    pub fn accepts(&self) -> FeatureShape {
        match self {
            Self::Transformer(t) => FeatureShape::Sequence { width: t.width },
            Self::ConvNet(r) => FeatureShape::FeatureMap { channels: r.in_channels },
            Self::Swin(s) => FeatureShape::FeatureMap { channels: s.width },
        }
    }

    /// Checks all numbers, before anything is built.
    ///
    /// # Errors
    /// Names the first that cannot be.
    pub(crate) fn validate(&self) -> Result<()> {
        match self {
            Self::Transformer(t) => t.validate(),
            Self::ConvNet(r) => r.validate(),
            Self::Swin(s) => s.validate(),
        }
    }

    /// The same trunk with another dropout probability, if it has any dropout.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        match &mut self {
            Self::Transformer(t) => t.dropout = dropout,
            Self::Swin(s) => s.dropout = dropout,
            Self::ConvNet(_) => {}
        }
        self
    }

    /// The same with another drop path (stochastic depth): the probability that its last block leaves a
    /// sample as it is, in training.
    ///
    /// # Errors
    /// If its blocks have none.
    pub fn with_drop_path(mut self, p: f64) -> Result<Self> {
        let has_any = match &mut self {
            Self::Transformer(t) => {
                t.drop_path = p;
                t.convolution.is_none()
            }
            Self::Swin(s) => {
                s.drop_path = p;
                true
            }
            Self::ConvNet(c) => {
                c.drop_path = p;
                c.has_drop_path()
            }
        };
        match has_any || p == 0. {
            true => Ok(self),
            false => Err(Error::setting("--drop-path", "the blocks of this trunk have none")),
        }
    }
}

/// A closed set: a new kind of trunk is a new variant, and the compiler lists what to change.
#[derive(Debug)]
// A model has one of it.
#[allow(clippy::large_enum_variant)]
pub enum Trunk {
    /// A transformer.
    Transformer(Box<Transformer>),
    /// A network of convolutions.
    ConvNet(ConvNet),
    /// A transformer whose attention is within windows.
    Swin(Swin),
}

impl Trunk {
    /// Builds the trunk at `vb` (`trunk` in a model), from its source or new.
    ///
    /// # Errors
    /// As [`Transformer::new`], [`ConvNet::new`] and [`Swin::new`].
    pub fn new(vb: &VarBuilder<'_>, config: &TrunkConfig) -> Result<Self> {
        Ok(match config {
            TrunkConfig::Transformer(c) => {
                Self::Transformer(Box::new(Transformer::new(vb, c.clone())?))
            }
            TrunkConfig::ConvNet(c) => Self::ConvNet(ConvNet::new(vb, c.clone())?),
            TrunkConfig::Swin(c) => Self::Swin(Swin::new(vb, c.clone())?),
        })
    }

    /// The shape of the features that [`forward`](Self::forward) takes.
    pub fn accepts(&self) -> FeatureShape {
        match self {
            Self::Transformer(t) => FeatureShape::Sequence { width: t.config().width },
            Self::ConvNet(r) => FeatureShape::FeatureMap { channels: r.config().in_channels },
            Self::Swin(s) => FeatureShape::FeatureMap { channels: s.config().width },
        }
    }

    /// The width of the output: of a sequence's vectors, or the number of channels.
    pub fn width(&self) -> i64 {
        match self {
            Self::Transformer(t) => t.config().width,
            Self::ConvNet(r) => r.config().width(),
            Self::Swin(s) => s.config().out_channels(),
        }
    }

    /// The number of parts, as [`TrunkConfig::depth`].
    pub(crate) fn depth(&self) -> usize {
        match self {
            Self::Transformer(t) => t.config().distinct(),
            Self::ConvNet(r) => r.config().stages.len(),
            Self::Swin(s) => s.config().stages.len(),
        }
    }

    /// Tells a transformer what the positions of its sequences are.
    pub fn set_layout(&mut self, layout: TokenLayout) {
        match self {
            Self::Transformer(t) => t.set_layout(layout),
            Self::ConvNet(_) | Self::Swin(_) => {}
        }
    }

    /// Decides whether batch-norm running statistics are updated, where there are any.
    pub fn set_batch_norm_stats(&self, statistics: BatchNormStats) {
        match self {
            Self::Transformer(t) => t.set_batch_norm_stats(statistics),
            Self::Swin(_) => {}
            Self::ConvNet(r) => r.set_batch_norm_stats(statistics),
        }
    }

    /// In training, keeps what goes into each block alone, and computes the block again for its backward
    /// pass. Whether this trunk can: a transformer.
    pub(crate) fn recompute_activations(&self) -> bool {
        match self {
            Self::Transformer(t) => t.recompute_activations(),
            Self::Swin(_) | Self::ConvNet(_) => false,
        }
    }

    /// The number of hidden states that enter a part or lie below it; `None`: it has none of one shape.
    pub(crate) fn states_to(&self, part: usize) -> Option<i64> {
        match self {
            Self::Transformer(t) => Some(t.states_to(part)),
            Self::ConvNet(_) | Self::Swin(_) => None,
        }
    }

    /// [`forward_range`](Self::forward_range), which shows `each` every hidden state `[B, T, D]` of a
    /// transformer on the way: what goes in, and what each block makes.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub(crate) fn forward_each(
        &self,
        features: &Features,
        parts: Range<usize>,
        train: bool,
        each: &mut dyn FnMut(&Tensor),
    ) -> Features {
        match (self, features) {
            (Self::Transformer(t), Features::Sequence(s)) => {
                Features::Sequence(t.forward_each(s, parts, train, each))
            }
            _ => self.forward_range(features, parts, train),
        }
    }

    /// The same in a graph. `each` is shown what enters a transformer and what each of its blocks makes, or
    /// what each part of another trunk makes.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub(crate) fn onnx(
        &self,
        e: &Exporter,
        features: GraphFeatures,
        each: &mut dyn FnMut(&GraphFeatures),
    ) -> GraphFeatures {
        match (self, features) {
            (Self::Transformer(t), GraphFeatures::Sequence(s)) => {
                GraphFeatures::Sequence(t.onnx(e, s, each))
            }
            (Self::ConvNet(r), GraphFeatures::FeatureMap(map)) => {
                GraphFeatures::FeatureMap(r.onnx(e, map, each))
            }
            (Self::Swin(s), GraphFeatures::FeatureMap(map)) => {
                GraphFeatures::FeatureMap(s.onnx(e, map, each))
            }
            (trunk, _) => {
                unreachable!("the embedder emitted other features than {}", trunk.accepts())
            }
        }
    }

    /// Features to features of the same kind.
    ///
    /// # Panics
    /// If the features are of another kind than [`accepts`](Self::accepts) names, which
    /// [`Encoder::join`](crate::nn::Encoder::join) has excluded.
    pub fn forward(&self, features: &Features, train: bool) -> Features {
        self.forward_range(features, 0..usize::MAX, train)
    }

    /// The forward pass through some of the parts, counted as [`TrunkConfig::depth`] does; a final
    /// norm counts as one part more.
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn forward_range(&self, features: &Features, parts: Range<usize>, train: bool) -> Features {
        match (self, features) {
            (Self::Transformer(t), Features::Sequence(s)) => {
                Features::Sequence(t.forward_range(s, parts, train))
            }
            (Self::ConvNet(r), Features::FeatureMap(x)) => {
                Features::FeatureMap(r.forward_range(x, parts, train))
            }
            (Self::Swin(s), Features::FeatureMap(x)) => {
                Features::FeatureMap(s.forward_range(x, parts, train))
            }
            (trunk, _) => {
                unreachable!("the embedder emitted other features than {}", trunk.accepts())
            }
        }
    }
}

//! Trunks: the pretrained middle of a model, which knows no modality.

use serde::{Deserialize, Serialize};

use crate::{Features, Form, Result, Scope, Transformer, TransformerConfig};

/// What a trunk is built from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrunkConfig {
    /// A transformer.
    Transformer(TransformerConfig),
}

impl TrunkConfig {
    /// The number of blocks, which `below:N` counts.
    pub fn depth(&self) -> usize {
        match self {
            Self::Transformer(t) => t.depth,
        }
    }

    /// The form of what the trunk takes.
    pub fn accepts(&self) -> Form {
        match self {
            Self::Transformer(t) => Form::Sequence { width: t.width },
        }
    }

    /// The same trunk with another dropout.
    pub fn with_dropout(mut self, dropout: f64) -> Self {
        match &mut self {
            Self::Transformer(t) => t.dropout = dropout,
        }
        self
    }
}

/// A closed set: a new family of trunks is a new variant, and the compiler lists what to change.
#[derive(Debug)]
pub enum Trunk {
    /// A transformer.
    Transformer(Transformer),
}

impl Trunk {
    /// Builds the trunk at `at` (`trunk` in a model), from its source or fresh.
    ///
    /// # Errors
    /// As the trunk that is built.
    pub fn new(at: &Scope<'_>, config: &TrunkConfig) -> Result<Self> {
        Ok(match config {
            TrunkConfig::Transformer(c) => Self::Transformer(Transformer::new(at, c.clone())?),
        })
    }

    /// The form of what [`forward`](Self::forward) takes.
    pub fn accepts(&self) -> Form {
        match self {
            Self::Transformer(t) => Form::Sequence { width: t.config().width },
        }
    }

    /// The length of a pooled feature vector.
    pub fn width(&self) -> i64 {
        match self {
            Self::Transformer(t) => t.config().width,
        }
    }

    /// Features to features of the form that [`accepts`](Self::accepts) names, which
    /// [`Tower::join`](crate::Tower::join) has checked.
    pub fn forward(&self, features: &Features, train: bool) -> Features {
        match (self, features) {
            (Self::Transformer(t), Features::Sequence(s)) => {
                Features::Sequence(t.forward(s, train))
            }
        }
    }
}

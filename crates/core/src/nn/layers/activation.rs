//! Activations.

use serde::{Deserialize, Serialize};

/// The activation of a head's hidden layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// None: the projector of wav2vec2 and Whisper. Those average behind it, which is the same, for
    /// it is linear.
    Without,
    /// BERT, RoBERTa.
    Tanh,
    /// DistilBERT.
    Relu,
}

/// Which GELU (Hendrycks and Gimpel 2016).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gelu {
    /// `x Φ(x)`.
    Exact,
    /// The approximation by `tanh`.
    Tanh,
}

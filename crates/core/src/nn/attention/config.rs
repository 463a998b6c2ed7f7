//! What self-attention is built from.

use serde::{Deserialize, Serialize};

use crate::nn::layers::{Bias, NormKind, SubNorm};
use crate::nn::position::{HeadShape, PositionConfig};

/// Which projections of attention add a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttentionBiases {
    /// The query's.
    pub q: Bias,
    /// The key's.
    pub k: Bias,
    /// The value's.
    pub v: Bias,
    /// The output's.
    pub out: Bias,
}

impl AttentionBiases {
    /// The same for query, key and value, and one for the output.
    pub fn of(qkv: Bias, out: Bias) -> Self {
        Self { q: qkv, k: qkv, v: qkv, out }
    }
}

/// Whether queries and keys are normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QkNorm {
    /// They are not.
    #[default]
    Without,
    /// Each head's values (Henry et al. 2020): Qwen 3, Gemma 3.
    Heads,
}

/// The shape of self-attention in a transformer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionConfig {
    /// The length of a hidden state, `D`.
    pub(crate) width: i64,
    /// Heads of queries, `H`.
    pub(crate) heads: i64,
    /// Heads of keys and values; they divide `H` (Ainslie et al. 2023).
    pub(crate) kv_heads: i64,
    /// The length of a head's vectors, `W`.
    pub(crate) head_width: i64,
    /// What scores are multiplied with.
    pub(crate) scale: f64,
    pub(crate) biases: AttentionBiases,
    pub(crate) qk_norm: QkNorm,
    pub(crate) norm: NormKind,
    pub(crate) eps: f64,
    pub(crate) sub_norm: SubNorm,
    pub(crate) positions: PositionConfig,
}

impl AttentionConfig {
    pub(crate) fn shape(&self) -> HeadShape {
        HeadShape { width: self.width, heads: self.heads, head_width: self.head_width }
    }
}

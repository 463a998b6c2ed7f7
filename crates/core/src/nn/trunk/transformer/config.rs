//! What a transformer is built from.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::nn::attention::AttentionKind;
use crate::nn::layers::{Activation, NormPlacement, eps_problem};

/// Whether the residual branches are scaled per channel (CaiT, Touvron et al. 2021, §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerScale {
    /// They are not.
    #[default]
    Without,
    /// By learned factors: DINOv2.
    Learned,
}

/// The shape of a transformer, and what tells the families apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformerConfig {
    /// The length of a hidden state, `D`.
    pub width: i64,
    /// The number of blocks.
    pub depth: usize,
    /// Attention heads; they divide `width`.
    pub heads: i64,
    /// The width of the MLP's hidden layer.
    pub mlp: i64,
    /// Where a block has its norms.
    #[serde(alias = "norm")]
    pub norm_placement: NormPlacement,
    /// The MLP's activation.
    #[serde(alias = "gelu", deserialize_with = "Activation::of_mlp")]
    pub activation: Activation,
    /// Which positions a position attends to.
    #[serde(alias = "attend")]
    pub attention: AttentionKind,
    /// The epsilon of all layer norms.
    pub eps: f64,
    /// The dropout probability in training.
    pub dropout: f64,
    /// Whether the residual branches are scaled.
    #[serde(default)]
    pub layer_scale: LayerScale,
}

impl TransformerConfig {
    /// A transformer of a width and depth; all else as in ViT, with heads of width 64.
    pub fn of(width: i64, depth: usize) -> Self {
        Self {
            width,
            depth,
            heads: (width / 64).max(1),
            mlp: width.saturating_mul(4),
            norm_placement: NormPlacement::Pre,
            activation: Activation::Gelu,
            attention: AttentionKind::Bidirectional,
            eps: 1e-6,
            dropout: 0.,
            layer_scale: LayerScale::Without,
        }
    }

    /// How many parameters a transformer has at the least, and how many values they have.
    pub(super) fn least(&self) -> (u128, u128) {
        let of = |n: i64| n.unsigned_abs().into();
        let (width, mlp): (u128, u128) = (of(self.width), of(self.mlp));
        // Norms and biases are left out of the values.
        let block =
            (4 * width).saturating_mul(width).saturating_add((2 * width).saturating_mul(mlp));
        (16 * self.depth as u128, block.saturating_mul(self.depth as u128))
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let problem = if self.width < 1 || self.depth < 1 || self.heads < 1 || self.mlp < 1 {
            "width, depth, heads and mlp must be at least 1".to_string()
        } else if self.width % self.heads != 0 {
            format!("{} heads do not divide the width {}", self.heads, self.width)
        } else if !(0.0..1.0).contains(&self.dropout) {
            format!("dropout {}: must be at least 0 and below 1", self.dropout)
        } else if let Some(problem) = eps_problem(self.eps) {
            problem
        } else {
            return Ok(());
        };
        Err(Error::setting("transformer", problem))
    }
}

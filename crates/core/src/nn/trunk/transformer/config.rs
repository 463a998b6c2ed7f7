//! What a transformer is built from.

use serde::{Deserialize, Serialize};

use super::convolution_config::ConvolutionConfig;
use super::input_conv::InputConvolution;
use crate::error::{Error, Result};
use crate::nn::attention::{AttentionBiases, AttentionConfig, AttentionKind, QkNorm};
use crate::nn::defaults::is_default;
use crate::nn::layers::{Activation, Bias, NormKind, NormPlacement, SubNorm, eps_problem};
use crate::nn::position::PositionConfig;

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

/// Whether the first block normalises ahead of its attention, where blocks normalise there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FirstNorm {
    /// It does.
    #[default]
    With,
    /// The embedder's norm has done so: ModernBERT.
    Without,
}

/// Whether there is a norm behind the last block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FinalNorm {
    /// With norms ahead of attention and MLP there is, with norms behind them there is none.
    #[default]
    Usual,
    /// There is none: what comes next has it.
    Without,
}

/// What an MLP computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MlpKind {
    /// `down(act(up(x)))`.
    #[default]
    Plain,
    /// `down(act(gate(x)) · up(x))` (Shazeer 2020): GeGLU, SwiGLU.
    Gated,
}

/// Blocks that attend to near positions alone (Beltagy et al. 2020, Longformer, §3.1).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalAttention {
    /// The largest distance that a position attends to.
    pub reach: i64,
    /// The indices of the blocks.
    pub blocks: Vec<usize>,
    /// The base of their rotary positions, which are unscaled then; `None`: as in other blocks.
    #[serde(default, skip_serializing_if = "is_default")]
    pub base: Option<f64>,
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
    /// What all norms compute.
    #[serde(default, skip_serializing_if = "is_default")]
    pub norm_kind: NormKind,
    /// Whether the first block has its first norm.
    #[serde(default, skip_serializing_if = "is_default")]
    pub first_norm: FirstNorm,
    /// Whether there is a norm behind the last block.
    #[serde(default, skip_serializing_if = "is_default")]
    pub final_norm: FinalNorm,
    /// Which projections of attention add a bias.
    #[serde(default, skip_serializing_if = "is_default")]
    pub biases: AttentionBiases,
    /// Heads of keys and values, each shared by several heads of queries; `None`: one for each.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kv_heads: Option<i64>,
    /// The length of a head's vectors; `None`: `width / heads`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub head_width: Option<i64>,
    /// What scores are multiplied with; `None`: `1 / √head_width`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scale: Option<f64>,
    /// Whether queries and keys are normalised.
    #[serde(default, skip_serializing_if = "is_default")]
    pub qk_norm: QkNorm,
    /// Whether there is a norm ahead of the last layer of attention and MLP.
    #[serde(default, skip_serializing_if = "is_default")]
    pub sub_norm: SubNorm,
    /// What attention knows of positions.
    #[serde(default, skip_serializing_if = "is_default")]
    pub positions: PositionConfig,
    /// Blocks that attend to near positions alone.
    #[serde(default, skip_serializing_if = "is_default")]
    pub local: Option<LocalAttention>,
    /// What the MLP computes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mlp_kind: MlpKind,
    /// Whether the MLP's layers add a bias.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mlp_bias: Bias,
    /// The probability that the last block leaves a sample as it is, in training; it grows evenly from
    /// 0 at the first (stochastic depth, Huang et al. 2016).
    #[serde(default, skip_serializing_if = "is_default")]
    pub drop_path: f64,
    /// The number of blocks with parameters of their own, each repeated as often as `depth` needs:
    /// ALBERT; `None`: all.
    #[serde(default, skip_serializing_if = "is_default")]
    pub distinct: Option<usize>,
    /// A convolution beside the first block.
    #[serde(default, skip_serializing_if = "is_default")]
    pub conv: Option<InputConvolution>,
    /// The convolution of a conformer's blocks; `None`: they are a transformer's.
    #[serde(default, skip_serializing_if = "is_default")]
    pub convolution: Option<ConvolutionConfig>,
}

/// No published transformer has as many heads, or such wide ones: their product stays a number.
const LARGEST: i64 = 1 << 20;

impl TransformerConfig {
    /// No published transformer has nearly as many blocks; of more, no list is made.
    pub(crate) const DEEPEST: usize = 1 << 16;

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
            norm_kind: NormKind::LayerNorm,
            first_norm: FirstNorm::With,
            final_norm: FinalNorm::Usual,
            biases: AttentionBiases::default(),
            kv_heads: None,
            head_width: None,
            scale: None,
            qk_norm: QkNorm::Without,
            sub_norm: SubNorm::Without,
            positions: PositionConfig::None,
            local: None,
            mlp_kind: MlpKind::Plain,
            mlp_bias: Bias::With,
            drop_path: 0.,
            distinct: None,
            conv: None,
            convolution: None,
        }
    }

    /// The length of a head's vectors.
    pub fn head_width(&self) -> i64 {
        self.head_width.unwrap_or(self.width / self.heads.max(1))
    }

    /// The number of blocks with parameters of their own.
    pub fn distinct(&self) -> usize {
        self.distinct.unwrap_or(self.depth)
    }

    /// How often each of them is repeated, one time after the other.
    pub(super) fn repeats(&self) -> usize {
        self.depth / self.distinct().max(1)
    }

    pub(super) fn attention_config(&self) -> AttentionConfig {
        let head_width = self.head_width();
        AttentionConfig {
            width: self.width,
            heads: self.heads,
            kv_heads: self.kv_heads.unwrap_or(self.heads),
            head_width,
            scale: self.scale.unwrap_or((head_width as f64).sqrt().recip()),
            biases: self.biases,
            qk_norm: self.qk_norm,
            sub_norm: self.sub_norm,
            norm: self.norm_kind,
            eps: self.eps,
            positions: self.positions,
        }
    }

    /// How many parameters a transformer has at the least, and how many values they have.
    pub(super) fn least(&self) -> (u128, u128) {
        let of = |n: i64| n.unsigned_abs().into();
        let (width, mlp): (u128, u128) = (of(self.width), of(self.mlp));
        let heads = of(self.heads).saturating_mul(of(self.head_width()));
        let kv = of(self.kv_heads.unwrap_or(self.heads)).saturating_mul(of(self.head_width()));
        let layers = 2 + u128::from(self.mlp_kind == MlpKind::Gated);
        // Norms and biases are left out.
        let attention = (heads.saturating_add(kv)).saturating_mul(2).saturating_mul(width);
        // A conformer has a second MLP, and 3 · width² weights in its convolution.
        let conformer = u128::from(self.convolution.is_some());
        let layers = layers * (1 + conformer);
        let block = attention.saturating_add(layers.saturating_mul(width).saturating_mul(mlp));
        let block =
            block.saturating_add((3 * conformer).saturating_mul(width.saturating_mul(width)));
        let count = self.distinct() as u128;
        ((4 + layers + 3 * conformer) * count, block.saturating_mul(count))
    }

    pub(crate) fn validate(&self) -> Result<()> {
        let kv_heads = self.kv_heads.unwrap_or(self.heads);
        let positive = |x: f64| x.is_finite() && x > 0.;
        let problem = if self.width < 1 || self.depth < 1 || self.heads < 1 || self.mlp < 1 {
            "width, depth, heads and mlp must be at least 1".to_string()
        } else if self.depth > Self::DEEPEST {
            format!("depth {}: must be at most {}", self.depth, Self::DEEPEST)
        } else if self.head_width.is_none() && self.width % self.heads != 0 {
            format!("{} heads do not divide the width {}", self.heads, self.width)
        } else if self.head_width.is_some_and(|w| !(1..=LARGEST).contains(&w))
            || self.heads > LARGEST
        {
            format!("heads and their width must be at least 1 and at most {LARGEST}")
        } else if kv_heads < 1 || self.heads % kv_heads != 0 {
            format!("{kv_heads} heads of keys and values do not divide {} heads", self.heads)
        } else if self.scale.is_some_and(|scale| !positive(scale)) {
            "the scale of attention must be above 0".into()
        } else if !self.depth.is_multiple_of(self.distinct().max(1)) || self.distinct() < 1 {
            format!("{} distinct blocks do not divide the depth {}", self.distinct(), self.depth)
        } else if let Some(problem) = self.local.as_ref().and_then(|local| {
            (local.reach < 1 || local.base.is_some_and(|base| !positive(base)))
                .then(|| format!("local attention reaches {}: must be at least 1", local.reach))
        }) {
            problem
        } else if matches!(
            self.positions,
            PositionConfig::RotaryInputs(_) | PositionConfig::GatedBuckets(_)
        ) && self.head_width.is_some_and(|w| w.saturating_mul(self.heads) != self.width)
        {
            "where each head has its part of a hidden state, heads × head_width is the width".into()
        } else if self.convolution.is_some()
            && (self.norm_placement != NormPlacement::Pre
                || self.layer_scale != LayerScale::Without
                || self.first_norm != FirstNorm::With
                || self.drop_path > 0.)
        {
            "a conformer's blocks have pre-norm, no layer scale and no drop path".into()
        } else if let Some(problem) = self.convolution.and_then(|c| c.problem()) {
            problem
        } else if let Some(problem) = self.positions.problem(self.head_width()) {
            problem
        } else if let Some(problem) = self.conv.and_then(|conv| conv.problem(self.width)) {
            problem
        } else if let Some((name, p)) = [("dropout", self.dropout), ("drop path", self.drop_path)]
            .into_iter()
            .find(|(_, p)| !(0.0..1.0).contains(p))
        {
            format!("{name} {p}: must be at least 0 and below 1")
        } else if let Some(problem) = eps_problem(self.eps) {
            problem
        } else {
            return Ok(());
        };
        Err(Error::setting("transformer", problem))
    }
}

//! What an embedder of patches is built from.

use serde::{Deserialize, Serialize};

use crate::nn::defaults::is_default;
use crate::nn::layers::Bias;
use crate::weights::Resampling;

/// Class tokens before the patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassTokens {
    /// None: SigLIP.
    Without,
    /// A class token.
    Class,
    /// A class and a distillation token (DeiT, Touvron et al. 2021, §4).
    ClassAndDistillation,
}

impl ClassTokens {
    /// How many there are.
    pub fn count(self) -> i64 {
        match self {
            Self::Without => 0,
            Self::Class => 1,
            Self::ClassAndDistillation => 2,
        }
    }
}

/// Which tokens have a vector for their position that is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PatchPositions {
    /// Those before the patches, too.
    #[default]
    All,
    /// Class tokens and patches, but no registers: DINOv2.
    AllButRegisters,
    /// The patches alone: DeiT III.
    Patches,
    /// None: attention knows of positions, as in DINOv3.
    Without,
}

/// The shape of an embedder of patches (ViT, Dosovitskiy et al. 2021, §3.1). Sides are rows, then
/// columns; a spectrogram's rows are frequencies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchEmbedderConfig {
    /// Channels of the input, `C`.
    pub channels: i64,
    /// Sides of the input, in pixels.
    pub size: [i64; 2],
    /// Sides of a patch, in pixels.
    pub patch: [i64; 2],
    /// Strides of the patches, in pixels: smaller than a patch where patches overlap (AST).
    pub stride: [i64; 2],
    /// The class tokens, which come first.
    pub tokens: ClassTokens,
    /// How position embeddings are resampled to another grid.
    pub resampling: Resampling,
    /// The dropout probability in training.
    pub dropout: f64,
    /// Learned tokens between class tokens and patches that nothing is read from (Darcet et al. 2024).
    #[serde(default, skip_serializing_if = "is_default")]
    pub registers: i64,
    /// Which tokens have a position embedding.
    #[serde(default, skip_serializing_if = "is_default")]
    pub positions: PatchPositions,
    /// Whether the projection of a patch adds a bias.
    #[serde(default, skip_serializing_if = "is_default")]
    pub bias: Bias,
    /// The epsilon of a layer norm behind all of this: CLIP; `None`: there is none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub norm: Option<f64>,
}

impl PatchEmbedderConfig {
    /// Square patches, side by side, of square inputs; all else as in ViT.
    pub fn of(channels: i64, size: i64, patch: i64) -> Self {
        Self {
            channels,
            size: [size; 2],
            patch: [patch; 2],
            stride: [patch; 2],
            tokens: ClassTokens::Class,
            resampling: Resampling::Bicubic,
            dropout: 0.,
            registers: 0,
            positions: PatchPositions::All,
            bias: Bias::With,
            norm: None,
        }
    }

    /// The numbers of patches, from top to bottom and from left to right.
    pub fn grid(&self) -> [i64; 2] {
        std::array::from_fn(|i| {
            let steps = self.size[i].saturating_sub(self.patch[i]) / self.stride[i].max(1);
            steps.saturating_add(1)
        })
    }

    /// The tokens before the patches.
    pub fn prefix(&self) -> i64 {
        self.tokens.count().saturating_add(self.registers)
    }

    /// How many of them have a position embedding; `None`: not even the patches have.
    pub(crate) fn placed(&self) -> Option<i64> {
        match self.positions {
            PatchPositions::All => Some(self.prefix()),
            PatchPositions::AllButRegisters => Some(self.tokens.count()),
            PatchPositions::Patches => Some(0),
            PatchPositions::Without => None,
        }
    }
}

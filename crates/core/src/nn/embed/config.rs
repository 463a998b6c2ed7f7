//! What the embedders of pretrained models are built from. The crates of the modalities build them.

use serde::{Deserialize, Serialize};

use crate::nn::layers::NormPlacement;
use crate::weights::Resampling;

/// The shape of an embedder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmbedderConfig {
    /// Token vectors with positions: BERT, RoBERTa, DistilBERT, GPT-2.
    Tokens(TokenEmbedderConfig),
    /// Patches of pictures or of spectrograms: ViT, DeiT, DINOv2, AST.
    Patches(PatchEmbedderConfig),
    /// A first convolution: ResNet, honk.
    #[serde(alias = "planes")]
    Stem(StemConfig),
    /// Convolutions over log-mel frames: Whisper.
    Frames(FrameStemConfig),
    /// Convolutions over the waveform: wav2vec2, HuBERT.
    Waveform(WaveformEmbedderConfig),
    /// One of ours, which began fresh in a training, or none yet: the modality's own settings build
    /// it.
    #[serde(alias = "ours")]
    FromModality,
}

impl EmbedderConfig {
    /// The same embedder with another dropout.
    pub(crate) fn with_dropout(mut self, share: f64) -> Self {
        match &mut self {
            Self::Tokens(c) => c.dropout = share,
            Self::Patches(c) => c.dropout = share,
            Self::Frames(c) => c.dropout = share,
            Self::Waveform(c) => c.dropout = share,
            Self::Stem(_) | Self::FromModality => {}
        }
        self
    }
}

/// The shape of a text model's embedder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenEmbedderConfig {
    /// The number of tokens.
    pub vocabulary: i64,
    /// Rows of the table of positions.
    pub positions: i64,
    /// The row of the first token: 0, but 2 for RoBERTa, which keeps two for padding.
    #[serde(default)]
    pub first_position: i64,
    /// The number of segments (sentence A, sentence B); 0: none are added.
    pub segments: i64,
    /// The epsilon of the layer norm; `None`: there is none.
    pub eps: Option<f64>,
    /// The share of activations dropped in training.
    pub dropout: f64,
}

impl TokenEmbedderConfig {
    /// The longest sequence, in tokens.
    pub fn longest(&self) -> i64 {
        self.positions - self.first_position
    }
}

/// Vectors that stand before the patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClassTokens {
    /// One for the class.
    Class,
    /// One for the class and one for the teacher's (DeiT, Touvron et al. 2021, §4).
    ClassAndDistillation,
}

impl ClassTokens {
    /// How many there are.
    pub fn count(self) -> i64 {
        match self {
            Self::Class => 1,
            Self::ClassAndDistillation => 2,
        }
    }
}

/// The shape of an embedder of patches (ViT, Dosovitskiy et al. 2021, §3.1). Sides are rows, then
/// columns; a spectrogram's rows are frequencies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PatchEmbedderConfig {
    /// Channels of the input, `C`.
    pub channels: i64,
    /// Sides of the input, in pixels.
    pub size: [i64; 2],
    /// Sides of a patch, in pixels.
    pub patch: [i64; 2],
    /// Steps from patch to patch, in pixels: less than a patch where patches overlap (AST).
    pub stride: [i64; 2],
    /// What stands before the patches.
    pub tokens: ClassTokens,
    /// How positions are brought to another grid.
    pub resampling: Resampling,
    /// The share of activations dropped in training.
    pub dropout: f64,
}

impl PatchEmbedderConfig {
    /// Patches from top to bottom and from left to right.
    pub fn grid(&self) -> [i64; 2] {
        std::array::from_fn(|i| (self.size[i] - self.patch[i]) / self.stride[i].max(1) + 1)
    }
}

/// The shape of a convolutional network's stem: its first convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StemConfig {
    /// Channels of the input.
    #[serde(alias = "channels")]
    pub in_channels: i64,
    /// Channels that come out.
    #[serde(alias = "planes")]
    pub out_channels: i64,
    /// The side of the kernel, in pixels.
    pub kernel: i64,
    /// The step of the kernel, in pixels.
    pub stride: i64,
    /// Whether the channels are normalised.
    pub norm: StemNorm,
    /// How the feature map is made smaller.
    pub pool: StemPool,
}

/// What follows a stem's convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StemNorm {
    /// Batch normalisation, then a rectifier: ResNet.
    Batch,
    /// A rectifier alone: honk.
    Without,
}

/// How a stem makes its feature map smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StemPool {
    /// Not at all: ResNets for small pictures.
    Without,
    /// The largest of 3 × 3, at every second place: ResNet.
    Max,
    /// The mean of so many rows and columns: honk.
    Mean([i64; 2]),
}

/// The shape of Whisper's two convolutions over log-mel frames (Radford et al. 2022, §2.2): a kernel
/// of 3 frames, the second at every other frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FrameStemConfig {
    /// Bands of a frame.
    pub bands: i64,
    /// The longest sequence, behind the convolutions.
    pub positions: i64,
    /// The share of activations dropped in training.
    pub dropout: f64,
}

/// The shape of an embedder of waveforms (wav2vec 2.0, Baevski et al. 2020, §2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WaveformEmbedderConfig {
    /// Channels, kernel and stride of each convolution, in samples of the one before.
    pub convolutions: Vec<[i64; 3]>,
    /// What is normalised in the convolutions.
    pub norm: WaveformNorm,
    /// Where the blocks of the trunk normalise: if after, the sequence comes normalised.
    pub output_norm: NormPlacement,
    /// Whether the convolutions add a bias.
    pub bias: bool,
    /// Whether the features are normalised before they are projected: all but some HuBERTs.
    pub feature_norm: bool,
    /// The kernel of the convolution that tells positions, in frames.
    pub position_kernel: i64,
    /// Groups of that convolution.
    pub position_groups: i64,
    /// The epsilon of the layer norms.
    pub eps: f64,
    /// The share of activations dropped in training.
    pub dropout: f64,
}

/// What an embedder of waveforms normalises in its convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaveformNorm {
    /// Each channel over time, behind the first convolution: base models.
    Group,
    /// Each place over its channels, behind every convolution: large models.
    Layer,
}

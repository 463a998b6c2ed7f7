//! What the embedders of pretrained models are built from. The modalities' crates build them.

use serde::{Deserialize, Serialize};

use super::patch_config::PatchEmbedderConfig;
use super::patch_map::{FoldedPatchesConfig, PatchMapConfig};
use super::stem::StemConfig;
use crate::error::{Error, Result};
use crate::nn::defaults::is_default;
use crate::nn::layers::{NormKind, NormPlacement, eps_problem};

/// The shape of an embedder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmbedderConfig {
    /// Token and position embeddings: BERT, RoBERTa, DistilBERT, GPT-2.
    Tokens(TokenEmbedderConfig),
    /// Patches of pictures or of spectrograms: ViT, CLIP, DINOv3, AST.
    Patches(PatchEmbedderConfig),
    /// A first convolution: ResNet, honk.
    #[serde(alias = "planes")]
    Stem(StemConfig),
    /// Patches of pictures that stay in their places, as a feature map: Swin.
    PatchMap(PatchMapConfig),
    /// The same of a long spectrogram that is folded to a square: CLAP.
    Folded(FoldedPatchesConfig),
    /// Convolutions over log-mel frames: Whisper.
    Frames(FrameStemConfig),
    /// Convolutions over the waveform: wav2vec2, HuBERT.
    Waveform(WaveformEmbedderConfig),
    /// Neighbouring log-mel frames, projected: wav2vec2-BERT.
    StackedFrames(StackedFramesConfig),
    /// One of ours, new in its training, or none yet: the modality's own settings build it.
    #[serde(alias = "ours")]
    FromModality,
}

impl EmbedderConfig {
    /// Checks all numbers, before anything is built.
    ///
    /// # Errors
    /// Names the first that cannot be.
    pub(crate) fn validate(&self) -> Result<()> {
        // What is at least 1 and what at least 0, the epsilon of the norms, and the dropout.
        let (mut counts, mut indices, mut eps, mut dropout) = (vec![], vec![], None, 0.);
        let pair = |name, [a, b]: [i64; 2]| [(name, a), (name, b)];
        match self {
            Self::Tokens(c) => {
                counts.extend([("vocabulary", c.vocabulary), ("positions", c.positions)]);
                counts.push(("positions behind the first", c.longest()));
                indices.extend([("first_position", c.first_position), ("segments", c.segments)]);
                counts.extend(c.embedding_width.map(|width| ("embedding_width", width)));
                (eps, dropout) = (c.eps, c.dropout);
            }
            Self::Patches(c) => {
                counts.push(("channels", c.channels));
                for (name, sides) in [("size", c.size), ("patch", c.patch), ("stride", c.stride)] {
                    counts.extend(pair(name, sides));
                }
                counts.extend(pair("patches", c.grid()));
                indices.push(("registers", c.registers));
                (eps, dropout) = (c.norm, c.dropout);
            }
            Self::Stem(c) => {
                return match c.problem() {
                    Some(problem) => Err(Error::setting("embedder", problem)),
                    None => Ok(()),
                };
            }
            Self::PatchMap(c) => {
                counts.extend(c.counts());
                (eps, dropout) = (c.eps, c.dropout);
            }
            Self::Folded(c) => {
                counts.extend(c.patches.counts());
                counts.extend([("bands", c.bands), ("folds", c.folds())]);
                (eps, dropout) = (c.patches.eps, c.patches.dropout);
            }
            Self::Frames(c) => {
                counts.extend([("bands", c.bands), ("positions", c.positions)]);
                dropout = c.dropout;
            }
            Self::Waveform(c) => {
                counts.push(("layers of convolutions", c.convolutions.len() as i64));
                counts.extend(c.convolutions.as_flattened().iter().map(|&n| ("convolutions", n)));
                counts.push(("position_kernel", c.position_kernel));
                counts.push(("position_groups", c.position_groups));
                if let WaveformPositions::Convolutions(layers) = c.positions {
                    counts.push(("position layers", layers as i64));
                }
                (eps, dropout) = (Some(c.eps), c.dropout);
            }
            Self::StackedFrames(c) => {
                counts.extend([("bands", c.bands), ("stacked", c.stacked)]);
                (eps, dropout) = (Some(c.eps), c.dropout);
            }
            Self::FromModality => {}
        }
        let below = |least: i64| {
            move |(name, n): &(&str, i64)| {
                (*n < least).then(|| format!("{name} {n}: must be at least {least}"))
            }
        };
        let problem = (counts.iter().find_map(below(1)))
            .or_else(|| indices.iter().find_map(below(0)))
            .or_else(|| eps.and_then(eps_problem))
            .or_else(|| {
                let within = (0.0..1.0).contains(&dropout);
                (!within).then(|| format!("dropout {dropout}: must be at least 0 and below 1"))
            });
        problem.map_or(Ok(()), |problem| Err(Error::setting("embedder", problem)))
    }

    /// The same embedder with another dropout probability.
    pub(crate) fn with_dropout(mut self, p: f64) -> Self {
        match &mut self {
            Self::Tokens(c) => c.dropout = p,
            Self::Patches(c) => c.dropout = p,
            Self::PatchMap(c) => c.dropout = p,
            Self::Folded(c) => c.patches.dropout = p,
            Self::Frames(c) => c.dropout = p,
            Self::Waveform(c) => c.dropout = p,
            Self::StackedFrames(c) => c.dropout = p,
            Self::Stem(_) | Self::FromModality => {}
        }
        self
    }
}

/// The shape of a text model's embedder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenEmbedderConfig {
    /// The number of tokens.
    pub vocabulary: i64,
    /// Rows of the position-embedding table.
    pub positions: i64,
    /// The row of the first token: 0, but 2 for RoBERTa, which reserves two for padding.
    #[serde(default)]
    pub first_position: i64,
    /// The number of segments (sentence A, sentence B); 0: no segment embeddings.
    pub segments: i64,
    /// The epsilon of the norm; `None`: there is none.
    pub eps: Option<f64>,
    /// The dropout probability in training.
    pub dropout: f64,
    /// Whether positions have vectors that are added.
    #[serde(default, skip_serializing_if = "is_default")]
    pub position_table: PositionTable,
    /// The length of the vectors ahead of a projection to the trunk's width (Lan et al. 2020, ALBERT,
    /// §3.1); `None`: they have that width.
    #[serde(default, skip_serializing_if = "is_default")]
    pub embedding_width: Option<i64>,
    /// Where that projection is.
    #[serde(default, skip_serializing_if = "is_default")]
    pub projection: EmbeddingProjection,
    /// What the tokens' vectors are multiplied with: `√D` in Gemma; `None`: they are not.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scale: Option<f64>,
    /// What the norm computes.
    #[serde(default, skip_serializing_if = "is_default")]
    pub norm_kind: NormKind,
}

/// Whether the positions of tokens have vectors that are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PositionTable {
    /// They are learned.
    #[default]
    Learned,
    /// There are none: attention knows of positions, and `positions` is the longest sequence.
    Without,
}

/// Where vectors are projected to the trunk's width, if they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EmbeddingProjection {
    /// Behind the norm, with a bias: ALBERT, ELECTRA.
    #[default]
    BehindNorm,
    /// Ahead of the norm, without a bias: DeBERTa v2.
    AheadOfNorm,
}

impl TokenEmbedderConfig {
    /// An embedder of BERT's kind: learned positions from 0 on, two segments, a layer norm.
    pub fn of(vocabulary: i64, positions: i64) -> Self {
        Self {
            vocabulary,
            positions,
            first_position: 0,
            segments: 2,
            eps: Some(1e-12),
            dropout: 0.,
            position_table: PositionTable::Learned,
            embedding_width: None,
            projection: EmbeddingProjection::BehindNorm,
            scale: None,
            norm_kind: NormKind::LayerNorm,
        }
    }

    /// The longest sequence, in tokens.
    pub fn longest(&self) -> i64 {
        self.positions.saturating_sub(self.first_position)
    }
}

/// The shape of Whisper's two convolutions over log-mel frames (Radford et al. 2022, §2.2): kernels
/// of 3 frames, the second with stride 2.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameStemConfig {
    /// Mel bands of a frame.
    pub bands: i64,
    /// The longest sequence, after the convolutions.
    pub positions: i64,
    /// The dropout probability in training.
    pub dropout: f64,
}

/// The shape of an embedder of waveforms (wav2vec 2.0, Baevski et al. 2020, §2).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaveformEmbedderConfig {
    /// Channels, kernel and stride of each convolution, in samples of the one before.
    pub convolutions: Vec<[i64; 3]>,
    /// The norms in the convolutions.
    pub norm: WaveformNorm,
    /// Where the trunk's blocks have their norms: with post-norm, the sequence is normalised here.
    pub output_norm: NormPlacement,
    /// Whether the convolutions add a bias.
    pub bias: bool,
    /// Whether the features are normalised before they are projected: all but some HuBERTs.
    pub feature_norm: bool,
    /// The kernel of the convolutional position embedding, in frames.
    pub position_kernel: i64,
    /// Groups of that convolution.
    pub position_groups: i64,
    /// The epsilon of the layer norms.
    pub eps: f64,
    /// The dropout probability in training.
    pub dropout: f64,
    /// How positions are embedded.
    #[serde(default, skip_serializing_if = "is_default")]
    pub positions: WaveformPositions,
}

/// How an embedder of waveforms embeds positions: by convolutions over the sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaveformPositions {
    /// One convolution, then a GELU.
    #[default]
    Convolution,
    /// The same over channels that a batch norm has normalised: some HuBERTs.
    BatchNorm,
    /// So many, each with a layer norm without parameters, then a GELU (Baevski et al. 2022,
    /// data2vec).
    Convolutions(usize),
    /// Not at all: attention knows of positions, as in wav2vec2-conformer.
    Without,
}

/// The shape of an embedder of log-mel frames, of which neighbours stand side by side in one position
/// (Barrault et al. 2023, SeamlessM4T, §4.1): a layer norm, then a projection.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackedFramesConfig {
    /// Mel bands of a frame.
    pub bands: i64,
    /// Frames of a position.
    pub stacked: i64,
    /// The epsilon of the layer norm.
    pub eps: f64,
    /// The dropout probability in training.
    pub dropout: f64,
}

/// What an embedder of waveforms normalises in its convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaveformNorm {
    /// Each channel over time, after the first convolution: base models.
    Group,
    /// Each position over its channels, after every convolution: large models.
    Layer,
}

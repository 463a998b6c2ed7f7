//! What the convolution of a conformer's block is built from (Gulati et al. 2020, §2.2).

use serde::{Deserialize, Serialize};

/// The convolution over positions in a conformer's blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvolutionConfig {
    /// The positions that it covers.
    pub kernel: i64,
    /// Which they are.
    pub reach: ConvolutionReach,
    /// What is normalised behind it.
    pub norm: ConvolutionNorm,
}

/// Which positions a convolution covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConvolutionReach {
    /// As many behind as ahead; the kernel is odd: wav2vec2-conformer.
    Centred,
    /// The position and those behind: wav2vec2-BERT.
    Causal,
}

/// What is normalised behind a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConvolutionNorm {
    /// Each channel over batch and time.
    Batch,
    /// Each position over its channels.
    Layer,
}

impl ConvolutionConfig {
    /// What is wrong with it.
    pub(super) fn problem(&self) -> Option<String> {
        let centred = self.reach == ConvolutionReach::Centred;
        let fits = (1..=1 << 20).contains(&self.kernel) && !(centred && self.kernel % 2 == 0);
        (!fits).then(|| {
            format!("a convolution of {} positions: must be at least 1, and odd", self.kernel)
        })
    }
}

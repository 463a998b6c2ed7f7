//! The `preprocessor_config.json` that lies beside a published audio model.

use std::path::Path;

use crosstune_core::{
    Result,
    files::{is_there, read_json},
};
use serde::Deserialize;

/// The sample rate of a model whose publisher does not give it, in Hz.
pub(crate) const USUAL_RATE: u32 = 16_000;

/// The parts of a `preprocessor_config.json` that are used.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Preprocessor {
    pub(crate) sampling_rate: Option<u32>,
    pub(crate) do_normalize: Option<bool>,
    pub(crate) return_attention_mask: Option<bool>,
    /// Whisper's bands.
    pub(crate) feature_size: Option<usize>,
    pub(crate) n_fft: Option<usize>,
    pub(crate) hop_length: Option<usize>,
    /// AST's and wav2vec2-BERT's bands.
    pub(crate) num_mel_bins: Option<usize>,
    pub(crate) mean: Option<f32>,
    pub(crate) std: Option<f32>,
    /// wav2vec2-BERT's frames of a position.
    pub(crate) stride: Option<i64>,
}

impl Preprocessor {
    /// As it lies at `path`; nothing told where there is none.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if is_there(path) { read_json(path) } else { Ok(Self::default()) }
    }

    /// In Hz.
    pub(crate) fn rate(&self) -> u32 {
        self.sampling_rate.unwrap_or(USUAL_RATE)
    }

    /// Whether a recording, or its spectrogram, is normalised: so unless told otherwise.
    pub(crate) fn normalises(&self) -> bool {
        self.do_normalize.unwrap_or(true)
    }
}

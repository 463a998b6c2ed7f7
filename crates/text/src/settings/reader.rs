//! How texts become numbers.

use crosstune_core::TokenEmbedderConfig;
use serde::{Deserialize, Serialize};

use crate::{published::positions, symbols::Symbols, tokenizer::Tokenizer};

/// The number of texts of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Sentences {
    /// One, as far as known.
    #[default]
    Single,
    /// Two, as in training.
    Pair,
}

/// What a model is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Answers {
    /// Texts, each as a whole.
    #[default]
    Texts,
    /// Their words, one by one.
    Words,
}

impl Answers {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Where the numbers of characters come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Numbers {
    /// From the training texts.
    #[default]
    Surveyed,
    /// From a run of ours.
    Taken,
}

/// What turns texts into numbers.
#[derive(Debug, Clone, Default)]
pub(super) enum Reader {
    /// No source was adopted yet.
    #[default]
    None,
    /// The tokenizer of a text model.
    Tokens { embedder: TokenEmbedderConfig, tokenizer: Tokenizer },
    /// Bytes or characters, without a tokenizer.
    Symbols(Symbols),
}

impl Reader {
    /// The longest text, in tokens.
    pub(super) fn most(&self) -> Option<u32> {
        match self {
            Self::None => None,
            Self::Tokens { tokenizer, .. } => Some(tokenizer.max_length()),
            Self::Symbols(symbols) => Some(symbols.longest()),
        }
    }

    /// The longest that it could be, in tokens.
    pub(super) fn room(&self) -> u32 {
        match self {
            Self::Tokens { embedder, .. } => positions(embedder),
            // Their positions are made for them.
            Self::None | Self::Symbols(_) => u32::MAX,
        }
    }
}

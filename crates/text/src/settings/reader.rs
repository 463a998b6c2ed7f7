//! What cuts texts up, and what is known of them.

use crosstune_core::TokenEmbedderConfig;
use serde::{Deserialize, Serialize};

use crate::{symbols::Symbols, tokenizer::Tokenizer};

/// How many texts a sample has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Sentences {
    /// One, as far as is known.
    #[default]
    Single,
    /// Two: so it was in training.
    Pair,
}

/// Where characters get their numbers from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Numbers {
    /// From the training texts.
    #[default]
    Surveyed,
    /// From a run of ours that was taken over.
    Taken,
}

/// What cuts texts up.
#[derive(Debug, Clone, Default)]
pub(super) enum Reader {
    /// Nothing was adopted yet.
    #[default]
    None,
    /// What a model of text brings along.
    Tokens { embedder: TokenEmbedderConfig, tokenizer: Tokenizer },
    /// What does without.
    Symbols(Symbols),
}

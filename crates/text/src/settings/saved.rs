//! The settings of sentences in a file.

use crosstune_core::TokenEmbedderConfig;
use serde::{Deserialize, Serialize};

use super::reader::{Answers, Sentences};
use crate::symbols::Symbols;

/// [`TextSettings`](super::TextSettings) in a file; the tokenizer has one of its own.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Saved {
    pub(super) max_length: Option<u32>,
    #[serde(default)]
    pub(super) sentences: Sentences,
    #[serde(default, skip_serializing_if = "Answers::is_default")]
    pub(super) answers: Answers,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) embedder: Option<TokenEmbedderConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pad: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) symbols: Option<Symbols>,
}

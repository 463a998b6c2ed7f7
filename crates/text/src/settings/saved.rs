//! The settings of sentences in a file.

use crosstune_core::TokenEmbedderConfig;
use serde::{Deserialize, Serialize};

use super::{Reader, Sentences, TextSettings};
use crate::Symbols;

/// [`TextSettings`] in a file; the tokenizer has one of its own.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    max_length: Option<u32>,
    #[serde(default)]
    sentences: Sentences,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) embedder: Option<TokenEmbedderConfig>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    symbols: Option<Symbols>,
}

impl From<TextSettings> for Saved {
    fn from(settings: TextSettings) -> Self {
        let TextSettings { asked, sentences, reader, .. } = settings;
        let saved = Self { max_length: asked, sentences, embedder: None, symbols: None };
        match reader {
            Reader::None => saved,
            Reader::Tokens { embedder, tokenizer } => {
                let max_length = Some(tokenizer.max_length());
                Self { max_length, embedder: Some(embedder), ..saved }
            }
            Reader::Symbols(symbols) => Self { symbols: Some(symbols), ..saved },
        }
    }
}

/// Without the tokenizer there is nothing adopted yet.
impl From<Saved> for TextSettings {
    fn from(saved: Saved) -> Self {
        Self {
            asked: saved.max_length,
            units: None,
            numbers: super::Numbers::Surveyed,
            sentences: saved.sentences,
            reader: saved.symbols.map_or(Reader::None, Reader::Symbols),
        }
    }
}

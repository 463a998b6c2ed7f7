//! Between the settings of sentences and what a file holds of them.

use super::{
    reader::{Numbers, Reader},
    saved::Saved,
    settings::TextSettings,
};

impl From<TextSettings> for Saved {
    fn from(settings: TextSettings) -> Self {
        let TextSettings { asked, sentences, answers, reader, .. } = settings;
        let saved = Self {
            max_length: asked,
            sentences,
            answers,
            embedder: None,
            pad: None,
            symbols: None,
        };
        match reader {
            Reader::None => saved,
            Reader::Tokens { embedder, tokenizer } => {
                let max_length = Some(tokenizer.max_length());
                // The tokenizer's file does not always tell it.
                let pad = Some(tokenizer.pad()).filter(|&pad| pad != 0);
                Self { max_length, embedder: Some(embedder), pad, ..saved }
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
            numbers: Numbers::Surveyed,
            sentences: saved.sentences,
            answers: saved.answers,
            has_long: false,
            reader: saved.symbols.map_or(Reader::None, Reader::Symbols),
        }
    }
}

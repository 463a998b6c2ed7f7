//! The tokenizer that a model was trained with, as its publisher saved it.

mod bounds;
mod config;
#[allow(clippy::module_inception)]
mod tokenizer;
mod vocabulary;

pub use tokenizer::Tokenizer;
pub use vocabulary::TOKENIZER;

//! The tokenizer that a model was trained with, as its publisher saved it.

mod bounds;
mod byte_pairs;
mod config;
mod merged_pieces;
mod pieces;
mod sentence_piece;
mod template;
#[allow(clippy::module_inception)]
mod tokenizer;
mod vocabulary;
mod word_pieces;

pub use tokenizer::Tokenizer;
pub use vocabulary::TOKENIZER;

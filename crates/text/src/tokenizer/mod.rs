//! The tokenizer that a model was trained with, as its publisher saved it.

mod bounds;
mod byte_pairs;
mod config;
mod files;
mod merged_pieces;
mod pieces;
mod sentence_piece;
mod special;
mod split;
mod template;
#[allow(clippy::module_inception)]
mod tokenizer;
mod vocabulary;
mod word_pieces;

pub use files::TOKENIZER;
pub(crate) use split::Pieces;
pub use tokenizer::Tokenizer;

//! The embedders of sentences: the pretrained model's own, and new ones for trunks that were not
//! trained on text.

mod symbol_image;
mod symbols;
mod tokens;

pub use symbol_image::SymbolImage;
pub use symbols::SymbolEmbedder;
pub use tokens::TokenEmbedder;

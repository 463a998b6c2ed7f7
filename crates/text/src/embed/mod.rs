//! The embedders of sentences: the pretrained model's own, and a fresh one for trunks that never saw
//! text.

mod symbol_image;
mod symbols;
mod tokens;

pub use symbol_image::SymbolImage;
pub use symbols::SymbolEmbedder;
pub use tokens::TokenEmbedder;

//! The embedders of sentences: the pretrained model's own, and a fresh one for trunks that never saw
//! text.

mod planes;
mod symbols;
mod tokens;

pub use planes::SymbolImage;
pub use symbols::SymbolEmbedder;
pub use tokens::TokenEmbedder;

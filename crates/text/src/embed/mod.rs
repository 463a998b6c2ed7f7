//! The embedders of sentences: the pretrained model's own, and a fresh one for trunks that never saw
//! text.

mod planes;
mod symbols;
mod tokens;
mod width;

pub use planes::SymbolPlanes;
pub use symbols::SymbolEmbedder;
pub use tokens::TokenEmbedder;

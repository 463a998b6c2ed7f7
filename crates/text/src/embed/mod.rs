//! The embedders of sentences: the pretrained model's own, and a fresh one for trunks that never saw
//! text.

mod planes;
mod symbols;
mod tokens;

pub use planes::SymbolPlanes;
pub use symbols::SymbolEmbedder;
pub use tokens::TokenEmbedder;

use crosstune_core::{Error, Form, Result};

/// The width of the sequence that a trunk takes.
fn sequence_width(form: Form) -> Result<i64> {
    match form {
        Form::Sequence { width } => Ok(width),
        Form::Planes { .. } => Err(Error::Setting {
            setting: "--weights",
            problem: format!("the trunk takes {form}, but a sentence is a sequence"),
        }),
    }
}

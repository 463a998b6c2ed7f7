//! What embedders that make sequences ask of a trunk.

use crosstune_core::{Error, Form, Result};

/// The width of the sequence that a trunk takes.
pub(super) fn sequence_width(form: Form) -> Result<i64> {
    match form {
        Form::Sequence { width } => Ok(width),
        Form::Planes { .. } => Err(Error::Setting {
            setting: "--weights",
            problem: format!("the trunk takes {form}, but a sentence is a sequence"),
        }),
    }
}

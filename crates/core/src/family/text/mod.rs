//! Families of models that were trained on text.

pub(super) mod bert;
pub(super) mod distilbert;
pub(super) mod gpt2;
pub(super) mod roberta;

//! Families of models that were trained on text.

pub(super) mod bert;
mod decoder;
pub(super) mod distilbert;
pub(super) mod gemma3;
pub(super) mod gpt2;
pub(super) mod llama;
pub(super) mod mistral;
pub(super) mod qwen;
pub(super) mod roberta;

//! Families of models that were trained on text.

pub(super) mod albert;
pub(super) mod bert;
mod decoder;
pub(super) mod deberta;
pub(super) mod distilbert;
pub(super) mod gemma3;
pub(super) mod electra;
pub(super) mod gpt2;
pub(super) mod llama;
pub(super) mod mistral;
pub(super) mod qwen;
pub(super) mod modernbert;
pub(super) mod mpnet;
pub(super) mod nomic_bert;
pub(super) mod roberta;
pub(super) mod xlm_roberta_xl;

//! Families of models that were trained on sound.

pub(super) mod ast;
pub(super) mod clap;
pub(super) mod honk;
pub(super) mod wav2vec2;
pub(super) mod whisper;

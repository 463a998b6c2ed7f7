//! Families of models that were trained on sound.

pub(super) mod ast;
pub(super) mod clap;
pub(super) mod conformer;
pub(super) mod data2vec;
pub(super) mod honk;
pub(super) mod unispeech;
pub(super) mod wav2vec2;
pub(super) mod wav2vec2_bert;
pub(super) mod wavlm;
pub(super) mod whisper;

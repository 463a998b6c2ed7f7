//! What texts become: tokens, pairs, bytes and characters. One binary, so one link of libtorch.

mod pairs;
mod symbols;
mod tokenizers;

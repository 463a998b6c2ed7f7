//! What texts become: tokens, pairs, bytes and characters; and adapters. One binary, so one link of libtorch.

mod adapters;
mod lost;
mod pairs;
mod sentence_pieces;
mod symbols;
mod tagging;
mod tokenizers;
mod trained_tags;

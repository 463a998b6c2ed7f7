//! The binaries and crates end to end, as a person uses them.

mod bounded;
mod check;
mod compare;
mod configs;
mod errors;
mod export;
mod fitting;
mod format_1;
mod freezing;
mod hostile;
mod hub;
mod outside;
mod pipeline;
mod feature_maps;
mod rank;
mod recipes;
mod runs;
mod support;
mod targets;
mod train;

//! The binaries and crates end to end, as a person uses them.

mod check;
mod compare;
mod errors;
mod export;
mod fitting;
mod format_1;
mod freezing;
mod hub;
mod outside;
mod pipeline;
mod feature_maps;
mod rank;
mod recipes;
mod run_folders;
mod runs;
mod support;
mod targets;
mod train;
mod weights;

//! The binaries and crates end to end, as a person uses them.

mod check;
mod compare;
mod errors;
mod export;
mod feature_maps;
mod fitting;
mod format_1;
mod freezing;
mod hub;
#[cfg(unix)]
mod kept;
mod numbers;
mod outside;
mod pipeline;
mod rank;
mod recipes;
mod runs;
#[cfg(target_os = "linux")]
mod streams;
mod support;
mod targets;
mod train;

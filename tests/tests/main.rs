//! The binaries and crates end to end, as a person uses them.

mod adapters;
mod answers;
mod bounded;
mod calibrated;
mod check;
mod company;
mod compare;
mod configs;
mod decoding;
mod distributed;
mod errors;
mod every_fixture;
mod explaining;
mod export;
mod feature_maps;
mod fitting;
mod format_1;
mod freezing;
mod hostile;
mod hub;
mod inputs;
#[cfg(unix)]
mod kept;
#[cfg(unix)]
mod killed;
mod mixed;
mod naming;
mod numbers;
mod onnx;
mod outside;
mod pipeline;
mod rank;
mod published;
mod recipes;
mod reproducible;
mod resuming;
mod run_folders;
mod runs;
mod said;
mod sequences;
#[cfg(unix)]
mod serve;
mod shards;
#[cfg(target_os = "linux")]
mod streams;
mod support;
mod targets;
mod train;
mod watched;
mod tunings;
mod weights;

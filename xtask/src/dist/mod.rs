//! `cargo xtask dist`: what people install who have no compiler, for Linux on x86-64.
//!
//! | file | does |
//! |---|---|
//! | `needs.rs` | asks a binary which libraries and which glibc it needs |
//! | `binaries.rs` | builds the binaries, which find libtorch beside themselves |
//! | `licences.rs` | collects the licences of all that is inside |
//! | `tree.rs` | the files of a package, by their places in it |
//! | `shell.rs` | completions and manual pages |
//! | `tarball.rs` | an archive with libtorch |
//! | `wheel.rs` | a wheel that uses the libtorch of Python's `torch` |
//! | `launcher.py` | the wheel's commands, which start the binaries |
//! | `trial.rs` | a small training with each |

mod binaries;
mod dist;
mod licences;
mod needs;
mod shell;
mod tarball;
mod tree;
mod trial;
mod wheel;

pub(crate) use dist::run;

//! `cargo xtask tidy`: the workspace's own rules, which no compiler checks. Also a test of xtask.
//!
//! All is read from the text of a file. Tests, comments and what `#[cfg(doc)]` imports are exempt,
//! and so are `lib.rs` and `main.rs`, which know all.
//!
//! | file | rule |
//! |---|---|
//! | `order.rs` | a room of core or cli imports only from the rooms of its row |
//! | `faces.rs` | nothing inside a crate or folder imports from its face; no `super::super` |
//! | `plates.rs` | a `mod.rs` is a door plate: it defines nothing |
//! | `circles.rs` | no circle of files in a folder, or of rooms in a crate |
//! | `manifests.rs` | which crate may name which |
//! | `modalities.rs` | core names no modality |
//! | `lines.rs` | a header, a bounded length, no panics, no paths of one machine |

mod circles;
mod code;
mod faces;
mod fault;
mod imports;
mod lines;
mod manifests;
mod modalities;
mod order;
mod plates;
mod source;
mod tidy;
mod tokens;

pub(crate) use tidy::run;

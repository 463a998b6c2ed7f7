//! Models on a hub that speaks as huggingface.co does: `hf://org/name[@revision][/file]`.
//!
//! What is fetched lies in the cache of Python's `huggingface_hub`, in its layout: what either has
//! fetched, the other finds. The environment decides as it does there: `HF_HOME` and
//! `HF_HUB_CACHE` (where the cache is), `HF_ENDPOINT` (which hub), `HF_TOKEN` or the file that a
//! login leaves (who asks), `HF_HUB_OFFLINE=1` (the cache alone).
//!
//! A file is in the cache whole or not at all. It is written under another name, as far as one
//! connection after another brings it; it must have the announced length, and the announced
//! SHA-256 where the hub knows that (of all large files); then it is renamed. Of processes that
//! want the same file one fetches it, and the others wait.
//!
//! This needs the feature `hub`.

mod cache;
mod client;
mod download;
mod event;
mod fetch;
mod reference;
mod settings;

pub use event::Event;
pub use fetch::{fetch, local};
pub use reference::{Reference, SCHEME};

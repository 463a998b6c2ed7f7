//! Models on a hub with huggingface.co's interface: `hf://org/name[@revision][/file]`.
//!
//! Files are stored in the cache of Python's `huggingface_hub`, in its layout: what one has
//! fetched, the other finds. The same environment variables count: `HF_HOME` and `HF_HUB_CACHE`
//! (the cache), `HF_ENDPOINT` (the hub), `HF_TOKEN` or the file that a login leaves (the token),
//! `HF_HUB_OFFLINE=1` (the cache alone), `HF_HUB_DOWNLOAD_TIMEOUT` (the seconds, 60 if unset, for
//! which a connection may be silent). The token never leaves the hub's origin: its scheme, host and
//! port.
//!
//! A file is in the cache completely or not at all. It is written under another name, over as many
//! connections as it takes; it must have the announced length, and the announced SHA-256 where the
//! hub knows it (of all large files); then it is renamed. Of several processes that want the same
//! file, one fetches it and the others wait. Nothing is fetched that the disk has no room for, nor
//! more than was announced, nor at less than 1 KiB a second, on average over three times the longest
//! silence.
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

//! `cargo xtask bench`: ours against Python at the same job, in one run.
//!
//! | file | compares |
//! |---|---|
//! | `audio.rs` | reading recordings into log-mel frames |
//! | `image.rs` | the preparation of pictures |
//! | `load.rs` | the loading of checkpoints |
//! | `processes.rs` | two processes with one, as ours and as DistributedDataParallel |
//! | `serve.rs` | answers over HTTP with a FastAPI server; `clients.rs` asks both |
//! | `text.rs` | tokenising with transformers |
//! | `train.rs` | our binaries with a PyTorch script |

mod audio;
mod bench;
mod clients;
mod image;
mod load;
mod measure;
mod options;
mod processes;
mod serve;
mod text;
mod train;

pub(crate) use bench::run;

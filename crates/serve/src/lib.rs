//! Answers of tuned models over HTTP: [`serve`].
//!
//! ```text
//!  POST /v1/models/NAME/predict
//!      │ body (within limits) ──► inputs            tokio
//!      ▼
//!   Modality::read                                  rayon, an input at a time
//!      │
//!      ▼
//!   queue ── those that wait, of about one length   a mutex
//!      │
//!      ▼
//!   the model, on a batch                           threads of its own
//!      │
//!      ▼
//!   {"model": NAME, "predictions": [ … ]}           as `predict --json`
//! ```
//!
//! The answer for an input is the one that it has alone, whoever else is in its batch. A request whose client
//! has gone leaves the queue. A model is replaced while requests come: each is answered by the one that
//! read it.
#![deny(missing_docs)]

mod app;
mod batch;
mod body;
mod connections;
mod engine;
mod event;
mod inputs;
mod job;
mod metrics;
mod openapi;
mod options;
mod page;
mod predict;
mod queue;
mod refusal;
mod replace;
mod router;
mod served;
mod server;
mod signals;
mod stamp;
mod texts;
mod together;
mod token;
mod worker;

pub use event::{Event, Tell};
pub use options::Options;
pub use served::{Named, Opened};
pub use server::{Ended, serve};
pub use token::Token;

//! Event files, which TensorBoard reads.
//!
//! | file | holds |
//! |---|---|
//! | `record.rs` | records: the framing of a message in a file |
//! | `proto.rs` | the messages, as protocol buffers |
//! | `hparams.rs` | the messages of TensorBoard's table of options |
//! | `writer.rs` | a file with them |

mod hparams;
mod proto;
mod record;
mod writer;

pub(crate) use hparams::Session;
pub(crate) use proto::Histogram;
pub(crate) use writer::{Events, is_event_file};

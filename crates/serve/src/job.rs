//! An input that waits for a model.

use std::sync::Arc;
use std::time::Instant;

use crosstune_core::predict::{Asked, Said};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::refusal::Refusal;
use crate::served::Version;
use crate::together::Together;

/// What comes of an input: itself and the answer.
pub(crate) type Reply = Result<(Asked, Said), Refusal>;

/// The room that a body has, until what was made of it is dropped.
pub(crate) type Room = Option<Arc<OwnedSemaphorePermit>>;

/// An input that waits.
pub(crate) struct Job<M> {
    /// The model that has read it.
    pub(crate) version: Arc<Version<M>>,
    /// The models that answered then.
    pub(crate) together: Arc<Together<M>>,
    pub(crate) asked: Asked,
    pub(crate) arrived: Instant,
    /// Its bytes, or what was made of them, are in memory as long as it is.
    pub(crate) _room: Room,
    /// Closed if nobody waits for the answer any more.
    pub(crate) reply: oneshot::Sender<Reply>,
}

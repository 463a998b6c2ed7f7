//! What all requests share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use crosstune_core::{Modality, Result};
use tokio::sync::Semaphore;

use crate::event::{Event, Tell};
use crate::metrics::Metrics;
use crate::options::Options;
use crate::queue::Queue;
use crate::served::Served;
use crate::together::Together;

/// What all requests share.
pub(crate) struct App<M: Modality> {
    pub(crate) models: Vec<Served<M>>,
    together: RwLock<Arc<Together<M>>>,
    pub(crate) queue: Arc<Queue<M>>,
    pub(crate) metrics: Arc<Metrics>,
    /// Room for the bodies of all requests together, in [`BLOCK`]s.
    pub(crate) bodies: Arc<Semaphore>,
    pub(crate) options: Options,
    tell: Box<Tell>,
    draining: AtomicBool,
}

/// The bytes of a permit for a body.
pub(crate) const BLOCK: usize = 1 << 12;

impl<M: Modality> App<M> {
    /// # Errors
    /// If what the models have in common cannot be built.
    pub(crate) fn new(models: Vec<Served<M>>, options: Options, tell: Box<Tell>) -> Result<Self> {
        let together = Together::of(&models)?;
        together.tell(&*tell);
        let blocks = options.max_body.get().div_ceil(BLOCK).saturating_mul(Options::BODIES);
        Ok(Self {
            models,
            together: RwLock::new(Arc::new(together)),
            queue: Arc::new(Queue::new(&options)),
            metrics: Arc::new(Metrics::new()),
            bodies: Arc::new(Semaphore::new(blocks.min(Semaphore::MAX_PERMITS))),
            options,
            tell,
            draining: AtomicBool::new(false),
        })
    }

    /// The models that answer now.
    pub(crate) fn together(&self) -> Arc<Together<M>> {
        self.together.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Finds out anew what the models have in common, once one of them was replaced.
    ///
    /// # Errors
    /// If what they pass together cannot be built: those that were not replaced go on as before.
    pub(crate) fn rejoin(&self) -> Result<()> {
        let together = Arc::new(Together::of(&self.models)?);
        *self.together.write().unwrap_or_else(PoisonError::into_inner) = together;
        Ok(())
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        (self.tell)(event);
    }

    /// Whether it was asked to end.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// The model of this name.
    pub(crate) fn model(&self, name: &str) -> Option<&Served<M>> {
        self.models.iter().find(|served| &*served.current().name == name)
    }
}

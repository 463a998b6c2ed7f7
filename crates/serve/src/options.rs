//! What a server may be told.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use crate::token::Token;

/// How a server works, and what it takes.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens. Port 0: any that is free, which [`Event::Listening`](crate::event::Event) tells.
    pub listen: SocketAddr,
    /// The most inputs in a batch.
    pub max_batch: NonZeroUsize,
    /// How long an input waits for others that are being read; those that come while a batch is computed
    /// wait for that anyway.
    pub max_wait: Duration,
    /// The most inputs that are read, wait or are answered at a time.
    pub max_queue: NonZeroUsize,
    /// The most bytes of a request's body.
    pub max_body: NonZeroUsize,
    /// How long a body may take to arrive, and how long an answer.
    pub timeout: Duration,
    /// The most connections at a time; others wait to be taken.
    pub max_connections: NonZeroUsize,
    /// The largest input: the product of what [`Modality::size`](crosstune_core::Modality::size) tells of
    /// it, so pixels, seconds or characters. `None`: as large as the modality reads.
    pub max_size: Option<f64>,
    /// How many classes an answer has, if the request does not say.
    pub top: NonZeroUsize,
    /// What a request must bring.
    pub token: Option<Token>,
    /// How often the files of the models are looked at, to open those anew that have changed; `None`:
    /// only when asked by SIGHUP.
    pub watch: Option<Duration>,
    /// How many batches are computed at a time, each by a thread of its own.
    pub workers: NonZeroUsize,
    /// How many threads libtorch has for each of them.
    pub threads: NonZeroUsize,
    /// Whether each request is [told](crate::event::Event::Request).
    pub log_requests: bool,
}

impl Options {
    /// The longest that a client may take to send the head of a request, to send nothing at all, or to
    /// take nothing of an answer.
    const IDLE: Duration = Duration::from_secs(15);
    /// Bodies of all requests together: so many of the largest.
    pub(crate) const BODIES: usize = 8;

    /// How long a client may take to send the head of a request, to send nothing at all, or to take nothing
    /// of an answer.
    pub(crate) fn idle(&self) -> Duration {
        self.timeout.min(Self::IDLE)
    }

    /// The options for a device that computes so many batches at a time, all else as it is by default.
    pub fn new(listen: SocketAddr, workers: NonZeroUsize, threads: NonZeroUsize) -> Self {
        let some = |n| NonZeroUsize::new(n).unwrap_or(NonZeroUsize::MIN);
        Self {
            listen,
            max_batch: some(32),
            max_wait: Duration::from_millis(3),
            max_queue: some(1024),
            max_body: some(32 << 20),
            timeout: Duration::from_secs(30),
            max_connections: some(1000),
            max_size: None,
            top: some(3),
            token: None,
            watch: None,
            workers,
            threads,
            log_requests: false,
        }
    }
}

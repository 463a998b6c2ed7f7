//! What a server has to say, and to whom.

use std::net::SocketAddr;
use std::time::Duration;

/// What happens while a server runs, for its log.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'e> {
    /// It takes requests at this address.
    Listening(SocketAddr),
    /// Anyone who reaches this address may ask it: it is no loopback address, and there is no token.
    Exposed(SocketAddr),
    /// These models are tunings of one base: it is in memory once, and inputs of all of them pass it
    /// together.
    Sharing {
        /// Their names.
        models: &'e [&'e str],
        /// Through how many parts of the trunk: blocks or stages.
        parts: usize,
        /// The bytes of their parameters.
        bytes: usize,
        /// What they would be without the others.
        alone: usize,
    },
    /// A model was opened anew, and answers from now on.
    Replaced {
        /// Its name.
        model: &'e str,
        /// How often it was opened.
        version: u64,
    },
    /// A model could not be opened anew: the old one goes on.
    Kept {
        /// Its name.
        model: &'e str,
        /// Why, in one line.
        problem: &'e str,
    },
    /// A model was opened anew and answers, but what it has in common with others could not be joined
    /// anew.
    Apart {
        /// Its name.
        model: &'e str,
        /// Why, in one line.
        problem: &'e str,
    },
    /// A request was answered, or its client has gone (499).
    Request {
        /// GET, POST.
        method: &'e str,
        /// What was asked for.
        path: &'e str,
        /// The status of the answer.
        status: u16,
        /// How long it took.
        took: Duration,
        /// Who asked.
        peer: Option<SocketAddr>,
    },
    /// No connection could be taken for a moment.
    Refused {
        /// Why, in one line.
        problem: &'e str,
    },
    /// It was asked to end: it takes no more requests, and answers those that wait.
    Draining,
}

/// Who is told.
pub type Tell = dyn Fn(&Event<'_>) + Send + Sync;

//! The store of processes that are started here.

use std::time::Duration;

use crate::error::{Error, Result};
use crate::libtorch::c10d::{Server, Store};

/// A store that a launcher serves for the processes that it starts, on a port that the system chooses: as
/// torchrun's agent does. It outlives each of them.
#[derive(Debug)]
pub struct Host {
    port: u16,
    _store: Store,
}

impl Host {
    /// Where it is: this machine's own address, so that nobody else reaches it by another.
    pub const ADDRESS: &str = "127.0.0.1";

    /// Serves a store.
    ///
    /// # Errors
    /// If the system has no port to give.
    pub fn new() -> Result<Self> {
        let store = Store::open(Self::ADDRESS, 0, Server::Here(0), Duration::from_secs(30));
        let (store, port) = store.map_err(|problem| Error::Distributed {
            problem: format!("no store can be served on this machine: {problem}"),
        })?;
        Ok(Self { port, _store: store })
    }

    /// The port that it is served on.
    pub fn port(&self) -> u16 {
        self.port
    }
}

//! What is said of processes that do not come or that have gone.

use std::time::Duration;

use crate::error::Error;
use crate::libtorch::c10d::{Server, Store};

/// How long processes wait for each other at the beginning: PyTorch's own.
pub(super) const MEETING: Duration = Duration::from_secs(300);

/// How long it takes, at most, to find out who has gone.
pub(super) const NAMING: Duration = Duration::from_secs(6);

/// The key under which a process says why it fails.
pub(super) fn failed(rank: usize) -> String {
    format!("failed/{rank}")
}

/// A rank, with where it is.
pub(super) fn named(store: &Store, rank: usize) -> String {
    let key = format!("who/{rank}");
    match store.has(&key).and_then(|has| if has { store.get(&key, NAMING) } else { Ok(vec![]) }) {
        Ok(who) if !who.is_empty() => format!("rank {rank} ({})", String::from_utf8_lossy(&who)),
        _ => format!("rank {rank}"),
    }
}

pub(super) fn distributed(problem: impl Into<String>) -> Error {
    Error::Distributed { problem: problem.into() }
}

pub(super) fn lost(problem: String) -> Error {
    Error::PeerLost { problem }
}

pub(super) fn store_gone(place: &str) -> Error {
    lost(format!("the store at {place} has gone, and with it the process that served it"))
}

/// Why there is no store.
pub(super) fn unmet(place: &str, server: Server, problem: &str) -> Error {
    let seconds = MEETING.as_secs();
    distributed(match server {
        _ if problem.contains("EADDRINUSE") => {
            format!("port {place} is taken: set MASTER_PORT to another, the same for all processes")
        }
        _ if problem.contains("clients joined") => {
            format!("not all processes came to {place} in {seconds} s: {}", plain(problem))
        }
        Server::Here(_) => format!("no store can be served at {place}: {}", plain(problem)),
        Server::Elsewhere(_) => format!(
            "nobody answers at {place} (MASTER_ADDR and MASTER_PORT): is rank 0 there? {}",
            plain(problem)
        ),
    })
}

/// What c10d and Gloo say, without the place in their sources.
pub(super) fn plain(problem: &str) -> &str {
    let said = match problem.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((_, said)) => said,
        None => problem,
    };
    said.split_once(". This may indicate").map_or(said, |(said, _)| said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_c10d_says_is_put_plainly() {
        let said = "[../third_party/gloo/gloo/transport/tcp/pair.cc:538] Connection closed by peer \
                    [127.0.0.1]:4321. This may indicate a remote failure";
        assert_eq!(plain(said), "Connection closed by peer [127.0.0.1]:4321");
        assert_eq!(plain("it is so"), "it is so");
    }
}

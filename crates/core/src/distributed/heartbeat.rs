//! Whether the others are alive: each process counts up a number in the store, once a second.
//!
//! A process that is killed closes its connections, and whoever speaks to it knows at once, though not
//! which rank it was; a machine that loses its power or its cable closes nothing. So all watch all.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::libtorch::c10d::Store;

/// How often a process counts.
const BEAT: Duration = Duration::from_secs(1);

/// So many beats of its own without one of another's, and that one counts as lost. Beats, not seconds: a
/// machine that was asleep blames nobody.
pub(super) const LOST: usize = 30;

/// The thread that counts and watches.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// By rank, how many beats of our own there were since its last.
    missed: Arc<Vec<AtomicUsize>>,
    /// Ends the thread when it is dropped.
    end: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

impl Heartbeat {
    /// Begins. `lost` is told once of the rank that is lost; `None`: it is the store.
    pub(super) fn start(
        store: Store,
        [rank, size]: [usize; 2],
        lost: impl FnOnce(Option<usize>) + Send + 'static,
    ) -> Self {
        let missed: Arc<Vec<_>> = Arc::new((0..size).map(|_| AtomicUsize::new(0)).collect());
        let (end, ended) = mpsc::channel();
        let watched = Arc::clone(&missed);
        let watch = move || {
            let mut counts = vec![0; size];
            while matches!(ended.recv_timeout(BEAT), Err(RecvTimeoutError::Timeout)) {
                match beat(&store, rank, &mut counts, &watched) {
                    Ok(None) => {}
                    Ok(found) => return lost(found),
                    Err(_) => return lost(None),
                }
            }
        };
        let end = Mutex::new(Some((end, thread::spawn(watch))));
        Self { missed, end }
    }

    /// The rank that has been silent for longest, if for two beats or more.
    pub(super) fn silent(&self) -> Option<usize> {
        let missed = self.missed.iter().map(|missed| missed.load(Ordering::Relaxed)).enumerate();
        missed.filter(|(_, missed)| *missed >= 2).max_by_key(|(_, missed)| *missed).map(|(r, _)| r)
    }

    /// Ends the thread: nobody is blamed any more.
    pub(super) fn stop(&self) {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((end, thread)) = end {
            drop(end);
            let _ = thread.join();
        }
    }
}

/// Counts up once, and looks at the others; returns who is lost.
fn beat(
    store: &Store,
    rank: usize,
    counts: &mut [i64],
    missed: &[AtomicUsize],
) -> Result<Option<usize>, String> {
    let mut lost = None;
    for (at, count) in counts.iter_mut().enumerate() {
        if at == rank {
            store.add(&key(at), 1)?;
            continue;
        }
        let now = store.add(&key(at), 0)?;
        match now == *count {
            true => {
                if missed[at].fetch_add(1, Ordering::Relaxed) + 1 >= LOST {
                    lost = Some(at);
                }
            }
            false => missed[at].store(0, Ordering::Relaxed),
        }
        *count = now;
    }
    Ok(lost)
}

fn key(rank: usize) -> String {
    format!("beat/{rank}")
}

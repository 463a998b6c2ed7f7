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
        place: [usize; 2],
        lost: impl FnOnce(Option<usize>) + Send + 'static,
    ) -> Self {
        Self::every(BEAT, store, place, lost)
    }

    fn every(
        pause: Duration,
        store: Store,
        [rank, size]: [usize; 2],
        lost: impl FnOnce(Option<usize>) + Send + 'static,
    ) -> Self {
        let missed: Arc<Vec<_>> = Arc::new((0..size).map(|_| AtomicUsize::new(0)).collect());
        let watched = Arc::clone(&missed);
        let (end_beats, beats_ended) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        // Apart from who watches: where a cable is cut, the store is waited for without end.
        let beats = thread::spawn(move || {
            let mut counts = vec![0; size];
            while let Err(RecvTimeoutError::Timeout) = beats_ended.recv_timeout(pause) {
                let found = beat(&store, rank, &mut counts, &watched);
                let is_over = !matches!(found, Ok(None));
                if tell.send(found).is_err() || is_over {
                    return;
                }
            }
        });
        let (end, ended) = mpsc::channel();
        let watch = move || {
            let mut unheard = 0;
            while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(pause) {
                unheard += 1;
                for found in told.try_iter() {
                    match found {
                        Ok(None) => unheard = 0,
                        Ok(found) => return lost(found),
                        Err(_) => return lost(None),
                    }
                }
                if unheard >= LOST {
                    return lost(None);
                }
            }
            drop(end_beats);
            // Else it may wait for the store for ever.
            if unheard < 2 {
                let _ = beats.join();
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::sync::atomic::AtomicBool;
    use std::time::Instant;

    use crate::libtorch::c10d::Server;

    use super::*;

    /// Hands bytes on until the cable is cut; then it holds both ends open, and nothing comes through.
    fn forward(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool) {
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            while cut.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(10));
            }
            if to.write_all(&bytes[..length]).is_err() {
                return;
            }
        }
    }

    #[test]
    fn a_cut_cable_is_noticed() {
        let wait = Duration::from_secs(20);
        let (_served, port) = Store::open("127.0.0.1", 0, Server::Here(1), wait).unwrap();
        let cable = TcpListener::bind("127.0.0.1:0").unwrap();
        let entrance = cable.local_addr().unwrap().port();
        let cut: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(false)));
        thread::spawn(move || {
            for near in cable.incoming().flatten() {
                let far = TcpStream::connect(("127.0.0.1", port)).unwrap();
                let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                thread::spawn(move || forward(near, far, cut));
                thread::spawn(move || forward(far_too, near_too, cut));
            }
        });
        let (store, _) = Store::open("127.0.0.1", entrance, Server::Elsewhere(0), wait).unwrap();
        let (tell, told) = mpsc::channel();
        let pause = Duration::from_millis(50);
        let heartbeat = Heartbeat::every(pause, store, [0, 1], move |lost| {
            let _ = tell.send(lost);
        });
        assert!(told.recv_timeout(10 * pause).is_err(), "nobody is lost yet");
        cut.store(true, Ordering::Relaxed);
        assert_eq!(told.recv_timeout(wait), Ok(None));
        let begun = Instant::now();
        heartbeat.stop();
        assert!(begun.elapsed() < wait, "who ends does not wait for what is lost");
    }
}

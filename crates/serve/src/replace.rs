//! Replaces models whose files have changed, or when asked.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crosstune_core::error::one_line;
use crosstune_core::{Error, Modality, Result};

use crate::app::App;
use crate::engine::contained;
use crate::event::Event;
use crate::served::{Open, Served};
use crate::stamp::Stamp;
use crate::worker::compute_with;

/// Opens models anew, in a thread of its own, until it is dropped.
#[derive(Debug)]
pub(crate) struct Keeper {
    ask: mpsc::Sender<()>,
}

impl Keeper {
    /// Begins to watch, if the options say so.
    ///
    /// # Errors
    /// If the system has no more threads.
    pub(crate) fn start<M: Modality>(app: Arc<App<M>>, open: Arc<Open<M>>) -> Result<Self> {
        let (ask, asked) = mpsc::channel();
        let keep = move || {
            // The others compute.
            compute_with(1);
            keep(&app, &*open, &asked);
        };
        let named = thread::Builder::new().name("models".into());
        named.spawn(keep).map_err(Error::io("a thread", "start"))?;
        Ok(Self { ask })
    }

    /// Opens all models anew.
    pub(crate) fn replace_all(&self) {
        // The thread ends with the server.
        let _ = self.ask.send(());
    }
}

fn keep<M: Modality>(app: &App<M>, open: &Open<M>, asked: &mpsc::Receiver<()>) {
    // As they were opened: what has changed since then is another.
    let mut seen: Vec<Stamp> = app.models.iter().map(|m| m.stamp.clone()).collect();
    let mut before = seen.clone();
    // Far enough away to be never.
    let pause = app.options.watch.unwrap_or(Duration::from_secs(1 << 32));
    loop {
        let all = match asked.recv_timeout(pause) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let now: Vec<Stamp> = app.models.iter().map(|m| Stamp::of(&m.path)).collect();
        for (at, served) in app.models.iter().enumerate() {
            // What is still being written is left alone until it is not.
            let written = now[at] != seen[at] && now[at] == before[at];
            if all || written {
                seen[at] = now[at].clone();
                replace(app, served, open);
            }
        }
        before = now;
    }
}

fn replace<M: Modality>(app: &App<M>, served: &Served<M>, open: &Open<M>) {
    let opened = tried(|| served.reopen(&app.models, open));
    let current = served.current();
    let name = &*current.name;
    app.metrics.reload(name, opened.is_ok());
    app.tell(&match &opened {
        Ok(version) => Event::Replaced { model: name, version: *version },
        Err(problem) => Event::Kept { model: name, problem },
    });
    if opened.is_ok()
        && let Err(problem) = tried(|| app.rejoin())
    {
        app.tell(&Event::Apart { model: name, problem: &problem });
    }
}

/// Does the work; an error or a panic becomes a line.
fn tried<T>(work: impl FnOnce() -> Result<T>) -> Result<T, String> {
    contained(work).map_err(|refusal| refusal.message)?.map_err(|e| one_line(&e))
}

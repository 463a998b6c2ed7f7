//! Replaces models whose files have changed, or when asked.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, SystemTime};

use crosstune_core::error::one_line;
use crosstune_core::{Error, Modality, Result};

use crate::app::App;
use crate::engine::contained;
use crate::event::Event;
use crate::served::{Open, Served};

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
            tch::set_num_threads(1);
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
    let mut seen: Vec<Stamp> = app.models.iter().map(|m| Stamp::of(&m.path)).collect();
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
    let reopen = || {
        let version = served.reopen(&app.models, open)?;
        app.rejoin()?;
        Ok(version)
    };
    let opened = contained(|| reopen().map_err(|e: Error| one_line(&e)));
    let opened = opened.unwrap_or_else(|refusal| Err(refusal.message));
    let current = served.current();
    let name = &*current.name;
    app.metrics.reload(name, opened.is_ok());
    app.tell(&match &opened {
        Ok(version) => Event::Replaced { model: name, version: *version },
        Err(problem) => Event::Kept { model: name, problem },
    });
}

/// What tells whether the files of a model are other ones.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp(Vec<(OsString, u64, u64, Option<SystemTime>)>);

impl Stamp {
    /// Of a file, or of all files in a folder. What is not there has none.
    fn of(path: &Path) -> Self {
        let one =
            |name, about: Metadata| (name, number(&about), about.len(), about.modified().ok());
        let mut files = vec![];
        if let Ok(about) = fs::metadata(path)
            && about.is_file()
        {
            files.push(one(OsString::new(), about));
        }
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            if let Ok(about) = fs::metadata(entry.path())
                && about.is_file()
            {
                files.push(one(entry.file_name(), about));
            }
        }
        files.sort();
        Self(files)
    }
}

/// A file's number, which another one at its place does not have.
#[cfg(unix)]
fn number(about: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(about)
}

#[cfg(not(unix))]
fn number(_: &Metadata) -> u64 {
    0
}

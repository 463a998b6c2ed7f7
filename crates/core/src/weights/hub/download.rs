//! Downloads one file into the cache: resumable, visible only when checked.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{fs, thread};

use sha2::{Digest, Sha256};
use ureq::http::StatusCode;

use super::cache::{Cache, incomplete};
use super::client::{Announced, Client, Lost};
use super::event::Event;
use crate::error::{BoxError, Error, Result};
use crate::files::{bytes, free_space, hexadecimal};

/// How often in a row a connection may fail without a new byte.
const TRIES: usize = 3;

/// How long to wait before the next try.
const PAUSE: Duration = Duration::from_millis(500);

/// The bytes a second that have to come on average, over as many of the longest silences as there are
/// tries. Whoever sends a byte now and then would hold a download for ever.
const SLOWEST: u64 = 1 << 10;

/// The bytes that are read at a time.
const CHUNK: usize = 1 << 17;

/// Provides a file of a commit; the path is that of the snapshot.
pub(super) fn provide(
    client: &Client,
    cache: &Cache,
    commit: &str,
    file: &str,
    observe: &mut dyn FnMut(Event),
) -> Result<PathBuf> {
    let pointer = cache.snapshot(commit).join(file);
    if pointer.exists() {
        return Ok(pointer);
    }
    let announced = client.announce(file, commit)?;
    let blob = cache.blob(&announced.etag);
    let _lock = cache.lock(&announced.etag, || observe(Event::Waiting { file }))?;
    // Another process may have fetched it meanwhile, or another commit has the same file.
    if !fs::metadata(&blob).is_ok_and(|blob| blob.len() == announced.size) {
        Download { client, cache, commit, file, announced: &announced }.run(&blob, observe)?;
    }
    cache.link(&blob, &pointer)?;
    Ok(pointer)
}

struct Download<'a> {
    client: &'a Client<'a>,
    cache: &'a Cache<'a>,
    commit: &'a str,
    file: &'a str,
    announced: &'a Announced,
}

/// Why the bytes ended early.
enum Cut {
    /// The connection failed: another try may help.
    Connection(BoxError),
    /// Anything else.
    Failure(Error),
}

impl Download<'_> {
    fn run(&self, blob: &Path, observe: &mut dyn FnMut(Event)) -> Result<()> {
        let Self { cache, file, .. } = *self;
        let size = self.announced.size;
        let path = incomplete(blob);
        let part = File::options().create(true).append(true).open(&path);
        let mut part = cache.try_io("write", &path, part)?;
        let (mut most, mut failures) = (self.length(&part, &path)?, 0);
        self.check_room(blob, size.saturating_sub(most))?;
        let mut pace = Pace::new(self.client.patience() * TRIES as u32);
        loop {
            let done = self.length(&part, &path)?;
            if done > size {
                cache.try_io("write", &path, part.set_len(0))?;
                continue;
            }
            observe(Event::Bytes { file, done, size });
            if done == size {
                break;
            }
            match self.append(&mut part, &path, done, &mut pace, observe) {
                Ok(()) => {}
                Err(Cut::Failure(error)) => return Err(error),
                Err(Cut::Connection(cause)) => {
                    let done = self.length(&part, &path)?;
                    failures = if done > most { 1 } else { failures + 1 };
                    most = most.max(done);
                    if pace.is_too_slow() {
                        return Err(self.too_slow(done));
                    }
                    if failures >= TRIES {
                        let problem = format!(
                            "{file} was cut off at {done} of {size} bytes; run the same command \
                             again to go on from there"
                        );
                        return Err(self.client.error(problem, Some(cause)));
                    }
                    thread::sleep(PAUSE);
                }
            }
        }
        // On disk before it is renamed, so that a power failure cannot leave half of it.
        cache.try_io("write", &path, part.sync_all())?;
        self.check(&path)?;
        cache.try_io("write", blob, fs::rename(&path, blob))
    }

    fn length(&self, part: &File, path: &Path) -> Result<u64> {
        Ok(self.cache.try_io("read", path, part.metadata())?.len())
    }

    /// Requests the bytes from `done` on and appends them.
    fn append(
        &self,
        part: &mut File,
        path: &Path,
        done: u64,
        pace: &mut Pace,
        observe: &mut dyn FnMut(Event),
    ) -> Result<(), Cut> {
        let (file, size) = (self.file, self.announced.size);
        let answer = self.client.bytes(file, self.commit, done);
        let mut answer = answer.map_err(|lost| match lost {
            Lost::Network(cause) => Cut::Connection(cause.into()),
            Lost::Astray(error) => Cut::Failure(error),
        })?;
        let on_disk = |result| self.cache.try_io("write", path, result).map_err(Cut::Failure);
        let mut done = match answer.status() {
            StatusCode::PARTIAL_CONTENT if starts_at(&answer, done) => done,
            // The whole file, requested or not.
            StatusCode::OK => 0,
            // Another range than was requested, or none: what is here does not fit what is there.
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                on_disk(part.set_len(0))?;
                return Err(Cut::Connection("the hub has no bytes from there on".into()));
            }
            _ => return Err(Cut::Failure(self.client.refused(&answer, Some(file)))),
        };
        if self.length(part, path).map_err(Cut::Failure)? != done {
            on_disk(part.set_len(done))?;
        }
        let mut reader = answer.body_mut().as_reader();
        let mut chunk = vec![0; CHUNK];
        loop {
            let n = reader.read(&mut chunk).map_err(|e| Cut::Connection(e.into()))?;
            if n == 0 {
                break;
            }
            done += n as u64;
            if done > size {
                on_disk(fs::remove_file(path))?;
                return Err(Cut::Failure(self.broken("more bytes than", &format!("{size}"))));
            }
            on_disk(part.write_all(&chunk[..n]))?;
            observe(Event::Bytes { file, done, size });
            pace.came(n as u64);
            if pace.is_too_slow() {
                return Err(Cut::Failure(self.too_slow(done)));
            }
        }
        if done < size {
            return Err(Cut::Connection("the connection was closed".into()));
        }
        Ok(())
    }

    /// Checks that the disk has room for what is to come.
    fn check_room(&self, blob: &Path, needed: u64) -> Result<()> {
        let folder = blob.parent().unwrap_or(blob);
        let Some(free) = free_space(folder).filter(|&free| free < needed) else { return Ok(()) };
        let problem = format!(
            "{} needs {}, but {} has {} free; make room there, or set HF_HOME to a folder on another \
             disk",
            self.file,
            bytes(needed),
            folder.display(),
            bytes(free)
        );
        Err(self.client.error(problem, None))
    }

    fn too_slow(&self, done: u64) -> Error {
        let problem = format!(
            "{} comes at less than {SLOWEST} bytes a second, and has {done} of {} bytes; run the same \
             command again to go on from there",
            self.file, self.announced.size
        );
        self.client.error(problem, None)
    }

    /// Checks a complete file against the announcement; one that differs is removed.
    fn check(&self, path: &Path) -> Result<()> {
        let Some(wanted) = &self.announced.sha256 else { return Ok(()) };
        let found = self.cache.try_io("read", path, sha256(path))?;
        if found == *wanted {
            return Ok(());
        }
        self.cache.try_io("remove", path, fs::remove_file(path))?;
        Err(self.broken(&format!("the SHA-256 {found} instead of"), wanted))
    }

    fn broken(&self, found: &str, wanted: &str) -> Error {
        let problem = format!(
            "{} came with {found} the announced {wanted}, so it is not kept; try again, and if it \
             happens again, ask who runs the hub",
            self.file
        );
        self.client.error(problem, None)
    }
}

/// How fast bytes come, over all connections.
struct Pace {
    over: Duration,
    since: Instant,
    /// In bytes, since then.
    came: u64,
}

impl Pace {
    fn new(over: Duration) -> Self {
        Self { over, since: Instant::now(), came: 0 }
    }

    fn came(&mut self, bytes: u64) {
        self.came += bytes;
    }

    /// Whether the last period is over and brought too little.
    fn is_too_slow(&mut self) -> bool {
        if self.since.elapsed() < self.over {
            return false;
        }
        let slow = self.came < SLOWEST * self.over.as_secs();
        *self = Self::new(self.over);
        slow
    }
}

/// Whether an answer's bytes start at `at`.
fn starts_at(answer: &ureq::http::Response<ureq::Body>, at: u64) -> bool {
    let range = answer.headers().get("Content-Range").and_then(|range| range.to_str().ok());
    range.is_some_and(|range| range.starts_with(&format!("bytes {at}-")))
}

/// In hex.
fn sha256(path: &Path) -> std::io::Result<String> {
    let (mut file, mut hash, mut chunk) = (File::open(path)?, Sha256::new(), vec![0; CHUNK]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(hexadecimal(&hash.finalize())),
            n => hash.update(&chunk[..n]),
        }
    }
}

//! Writes a run folder.

use std::cell::Cell;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, iter};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tch::Kind;

use super::claim::{Claim, Left, MADE};
use crate::error::{Error, Result, one_line};
use crate::files::{
    exchange, free_space, is_there, move_aside, move_new, parent, partial, read_json, sync_files,
    sync_folder, write_json,
};
use crate::modality::Modality;
use crate::model::Model;
use crate::spec::{CALIBRATION, LABELS, SPEC, Spec};
use crate::weights::{WEIGHTS, WeightSource};

const METRICS: &str = "metrics.jsonl";

/// The file with the options and results of the training.
pub const RESULT: &str = "result.json";

/// What the caller noted of a training, beside its checkpoints.
const TRAINING: &str = "training.json";

/// A run folder in the making. It is written next to its destination, in `.NAME.partial`, and moved
/// there when it is complete. Dropped before that, it leaves nothing but checkpoints, unless it is
/// [left](Self::leave) or [discarded](Self::discard).
///
/// If there are any, another process can [go on](Self::resume) with them.
///
/// No other process writes it meanwhile, and what comes to its destination meanwhile stays.
#[derive(Debug)]
pub struct RunWriter {
    destination: PathBuf,
    replace: bool,
    claim: Claim,
    /// The lines of `metrics.jsonl`.
    metrics: String,
    /// The caller's own files.
    files: Vec<(String, Value)>,
}

impl RunWriter {
    /// Begins a run folder whose destination is `folder`.
    ///
    /// # Errors
    /// If something is there already and is not to be replaced (be it an unfinished training that can
    /// be gone on with), if another process is writing it, or if no folder can be made there.
    pub fn create(folder: impl Into<PathBuf>, replace: bool) -> Result<Self> {
        Self::claimed(folder.into(), replace, if replace { Left::Cleared } else { Left::Respected })
    }

    /// Goes on with a run folder that another process has left unfinished: its
    /// [checkpoints](Self::checkpoints) are there.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn resume(folder: impl Into<PathBuf>, replace: bool) -> Result<Self> {
        Self::claimed(folder.into(), replace, Left::Kept)
    }

    fn claimed(destination: PathBuf, replace: bool, left: Left) -> Result<Self> {
        if destination.file_name().is_none() {
            let problem = format!("{}: expected the path of a new folder", destination.display());
            return Err(Error::setting("--out", problem));
        }
        refuse(&destination, replace)?;
        let parent = parent(&destination);
        fs::create_dir_all(parent).map_err(Error::io(parent, "create"))?;
        let claim = Claim::new(partial(&destination), &destination, left)?;
        // Once more: whoever wrote here may just have finished.
        refuse(&destination, replace)?;
        Ok(Self { destination, replace, claim, metrics: String::new(), files: vec![] })
    }

    /// The folder while it is written.
    pub fn folder(&self) -> &Path {
        self.claim.made()
    }

    /// Where the training's checkpoints belong; see [`Checkpoints`](crate::Checkpoints). They go when
    /// the run is finished.
    pub fn checkpoints(&self) -> PathBuf {
        self.claim.checkpoints()
    }

    /// Whether there is a checkpoint, whole or not.
    pub fn has_checkpoint(&self) -> bool {
        self.claim.has_checkpoint()
    }

    /// Notes what another process will need to go on with the training; [`unfinished`] reads it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn note<T: Serialize>(&self, training: &T) -> Result<()> {
        write_json(&self.claim.folder().join(TRAINING), training)?;
        sync_folder(self.claim.folder())
    }

    /// Ends without a run folder, and leaves the training where it can be gone on with.
    pub fn leave(self) {
        self.claim.leave();
    }

    /// Ends without a run folder and without the checkpoints, which lead nowhere.
    pub fn discard(mut self) {
        self.claim.done();
    }

    /// Asks, before a training, whether the disk has space for the model.
    ///
    /// # Errors
    /// If it is known to be short.
    pub fn reserve(&self, model: &Model) -> Result<()> {
        // As they are written: counts as i64, all else as f32.
        let needed: u64 = model
            .store()
            .variables()
            .values()
            .map(|t| t.numel() as u64 * if t.kind() == Kind::Int64 { 8 } else { 4 })
            .sum();
        match free_space(self.folder()) {
            Some(free) if free < needed => {
                let problem = format!(
                    "the model needs {:.1} MB, but the disk of {} has {:.1} MB left; free some, or \
                     name a folder on another disk",
                    needed as f64 / 1e6,
                    self.destination.display(),
                    free as f64 / 1e6
                );
                Err(Error::setting("--out", problem))
            }
            _ => Ok(()),
        }
    }

    /// Adds a line to `metrics.jsonl`.
    ///
    /// # Errors
    /// If it cannot be written now; [`finish`](Self::finish) writes all lines again.
    pub fn metric<T: Serialize>(&mut self, record: &T) -> Result<()> {
        let path = self.folder().join(METRICS);
        let line = serde_json::to_string(record)
            .map_err(|e| Error::Malformed { path: path.clone(), problem: e.to_string() })?;
        self.metrics += &format!("{line}\n");
        let file = OpenOptions::new().create(true).append(true).open(&path);
        file.and_then(|mut f| writeln!(f, "{line}")).map_err(Error::io(&path, "write"))
    }

    /// Adds a file of the caller's, which [`finish`](Self::finish) writes.
    ///
    /// # Errors
    /// If the value cannot be written as JSON.
    pub fn json<T: Serialize>(&mut self, name: &str, value: &T) -> Result<()> {
        let value = serde_json::to_value(value).map_err(|e| Error::Malformed {
            path: self.destination.join(name),
            problem: e.to_string(),
        })?;
        self.files.push((name.into(), value));
        Ok(())
    }

    /// Writes the model, its settings and the result, and moves the folder to its destination.
    ///
    /// # Errors
    /// If that fails. The run is then kept elsewhere, wherever there is space, and the error says
    /// where ([`Error::Kept`]).
    pub fn finish<M: Modality, R: Serialize>(
        self,
        model: &Model,
        modality: &M,
        result: &R,
    ) -> Result<()> {
        self.finish_by(&|path| model.save(path), model, modality, result)
    }

    /// The same of a model that keeps what it has of `source` in bf16, and how many tensors could not be
    /// read from there again; see [`Model::save_from`].
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn finish_from<M: Modality, R: Serialize>(
        self,
        source: &WeightSource<'_>,
        model: &Model,
        modality: &M,
        result: &R,
    ) -> Result<usize> {
        let changed = Cell::new(0);
        let save = |path: &Path| -> Result<()> {
            changed.set(model.save_from(source, path)?);
            Ok(())
        };
        self.finish_by(&save, model, modality, result)?;
        Ok(changed.get())
    }

    fn finish_by<M: Modality, R: Serialize>(
        mut self,
        save: &dyn Fn(&Path) -> Result<()>,
        model: &Model,
        modality: &M,
        result: &R,
    ) -> Result<()> {
        let write = |folder: &Path| self.write(folder, save, model, modality, result);
        let path = self.destination.clone();
        // On the disk before the checkpoints go.
        let written = write(self.folder()).and_then(|()| sync_files(self.folder()));
        let (problem, is_whole) = match written {
            Ok(()) => match self.place() {
                Ok(()) => {
                    self.claim.done();
                    return sync_folder(parent(&self.destination));
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    ("appeared during the training, and is left as it is".to_string(), true)
                }
                Err(e) => (format!("cannot be written ({e})"), true),
            },
            Err(e @ Error::Io { .. }) => (format!("cannot be written ({})", one_line(&e)), false),
            // What is wrong with the model itself is wrong elsewhere, too.
            Err(e) => return Err(e),
        };
        let beside = is_whole.then(|| move_aside(self.folder(), &self.destination)).flatten();
        match beside.or_else(|| elsewhere(&write)) {
            Some(kept) => {
                self.claim.done();
                Err(Error::Kept { path, problem, kept })
            }
            None if is_whole => Err(Error::Kept { path, problem, kept: self.claim.keep() }),
            None => {
                let tried: Vec<_> = folders().map(|f| f.display().to_string()).collect();
                Err(Error::Unsaved { path, problem, tried: tried.join(", ") })
            }
        }
    }

    /// Moves the whole folder to its destination.
    fn place(&self) -> io::Result<()> {
        if self.replace && Spec::is_at(&self.destination) {
            // What was there is then where this was, and goes with the claim.
            exchange(self.folder(), &self.destination)
        } else {
            move_new(self.folder(), &self.destination)
        }
    }

    /// Writes what a run folder holds once the training is done: first what would be missed most.
    fn write<M: Modality, R: Serialize>(
        &self,
        folder: &Path,
        save: &dyn Fn(&Path) -> Result<()>,
        model: &Model,
        modality: &M,
        result: &R,
    ) -> Result<()> {
        save(&folder.join(WEIGHTS))?;
        modality.save(folder)?;
        write_json(&folder.join(LABELS), &model.spec().labels)?;
        write_json(&folder.join(RESULT), result)?;
        for (name, value) in &self.files {
            write_json(&folder.join(name), value)?;
        }
        if let Some(calibration) = &model.spec().calibration {
            write_json(&folder.join(CALIBRATION), calibration)?;
        }
        if !self.metrics.is_empty() {
            crate::files::replace(&folder.join(METRICS), &self.metrics)?;
        }
        write_json(&folder.join(SPEC), model.spec())
    }
}

/// What a person finds at a place where a training was begun.
#[derive(Debug)]
pub enum Unfinished<T> {
    /// A training that can be gone on with, with what was [noted](RunWriter::note) of it.
    Training(T),
    /// One that is done.
    Finished,
    /// No training.
    Nothing,
}

/// Looks for an unfinished training whose destination is `folder`. Another process may be at it.
///
/// # Errors
/// If what was noted of it cannot be read.
pub fn unfinished<T: DeserializeOwned>(folder: &Path) -> Result<Unfinished<T>> {
    let Some(_) = folder.file_name() else { return Ok(Unfinished::Nothing) };
    let partial = partial(folder);
    let noted = partial.join(TRAINING);
    // A process that dies just after the run has come to its place leaves its notes.
    let is_moved = !partial.join(MADE).exists();
    Ok(match is_there(&noted) {
        _ if is_moved && Spec::is_at(folder) => Unfinished::Finished,
        true => Unfinished::Training(read_json(&noted)?),
        false => Unfinished::Nothing,
    })
}

/// Refuses a destination that is taken, unless it is a run folder that is to be replaced.
fn refuse(destination: &Path, replace: bool) -> Result<()> {
    // A link that leads nowhere is something, too.
    if destination.symlink_metadata().is_err() {
        return Ok(());
    }
    let shown = destination.display();
    let problem = if !replace {
        format!("{shown} exists; name another folder, or add --overwrite")
    } else if !Spec::is_at(destination) {
        format!("{shown} is not a run folder, so it is not overwritten; name another")
    } else {
        return Ok(());
    };
    Err(Error::setting("--out", problem))
}

/// Where a run is kept whose destination does not take it.
fn folders() -> impl Iterator<Item = PathBuf> {
    iter::once(env::temp_dir()).chain(env::current_dir().ok()).chain(env::home_dir())
}

/// Writes a run to the first of these folders that takes it.
fn elsewhere(write: &dyn Fn(&Path) -> Result<()>) -> Option<PathBuf> {
    folders().find_map(|folder| {
        let new = tempfile::Builder::new().prefix("crosstune-run-").tempdir_in(folder).ok()?;
        write(new.path()).ok().map(|()| new.keep())
    })
}

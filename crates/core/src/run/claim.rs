//! The folder that a run grows in, which one process writes.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{process, thread};

use same_file::Handle;

use crate::error::{Error, Result};

/// The file that says which process writes, locked as long as that process lives. A folder without
/// it is somebody else's.
const WRITER: &str = ".crosstune-writer";

/// What is being made, in the folder.
pub(super) const MADE: &str = "run";

/// The folder, in the folder, of the checkpoints that a training can go on from.
const CHECKPOINTS: &str = "checkpoints";

/// How often, and after how long, a folder that another process is just making or removing is looked
/// at again.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(10);

/// What becomes of what a dead process has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// It is cleared, unless a training can go on from it: then the claim is refused.
    Respected,
    /// It is cleared.
    Cleared,
    /// All but what was being made stays.
    Kept,
}

/// A folder of this process alone, with an empty folder in it. It goes when it is dropped, unless there is
/// a checkpoint in it, which is hours of somebody's work; as of a process that is killed, the next that
/// claims it finds what is left.
#[derive(Debug)]
pub(super) struct Claim {
    folder: PathBuf,
    made: PathBuf,
    /// Nobody needs the checkpoints any more.
    is_done: bool,
    /// Locked as long as this lives.
    _lock: Option<File>,
}

impl Claim {
    /// Claims a folder, in which `destination` is going to be made.
    ///
    /// # Errors
    /// If another process has claimed it, if it is somebody else's, or if it cannot be made.
    pub(super) fn new(folder: PathBuf, destination: &Path, left: Left) -> Result<Self> {
        let lock = lock(&folder, destination)?;
        if left == Left::Respected && has_checkpoint(&folder) {
            let shown = destination.display();
            let problem = format!(
                "{shown} is an unfinished training whose process has ended; go on with --resume \
                 {shown}, or replace it with --overwrite"
            );
            return Err(Error::setting("--out", problem));
        }
        let new = Self { made: folder.join(MADE), folder, is_done: false, _lock: lock };
        clear(&new.folder, left)?;
        let told = fs::write(new.folder.join(WRITER), format!("{}\n", process::id()));
        told.map_err(Error::io(&new.folder, "write to"))?;
        fs::create_dir(&new.made).map_err(Error::io(&new.made, "create"))?;
        Ok(new)
    }

    /// The folder in the making.
    pub(super) fn made(&self) -> &Path {
        &self.made
    }

    /// The folder of the checkpoints; it may not be there.
    pub(super) fn checkpoints(&self) -> PathBuf {
        self.folder.join(CHECKPOINTS)
    }

    /// Whether a training can go on from a checkpoint in it.
    pub(super) fn has_checkpoint(&self) -> bool {
        has_checkpoint(&self.folder)
    }

    /// The folder that was claimed.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Leaves everything where it is, as if this process had died.
    pub(super) fn leave(mut self) {
        self.abandon();
    }

    pub(super) fn abandon(&mut self) {
        self.folder = PathBuf::new();
    }

    /// Removes it when it is dropped, with its checkpoints.
    pub(super) fn done(&mut self) {
        self.is_done = true;
    }

    /// Leaves what was made where it is, for nobody to clear.
    pub(super) fn keep(mut self) -> PathBuf {
        let _ = fs::remove_file(self.folder.join(WRITER));
        self.folder = PathBuf::new();
        std::mem::take(&mut self.made)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.folder.as_os_str().is_empty() {
            return;
        }
        // A failure to remove it is not what went wrong; the next process tries again. The file that
        // says whose it is goes last.
        if !self.is_done && self.has_checkpoint() {
            let _ = clear(&self.folder, Left::Kept);
            return;
        }
        let _ = clear(&self.folder, Left::Cleared);
        let _ = fs::remove_file(self.folder.join(WRITER));
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Makes the folder, and locks it for this process; `None`: it is new, and the file system has no
/// locks.
fn lock(folder: &Path, destination: &Path) -> Result<Option<File>> {
    let refused = |problem| Err(Error::setting("--out", problem));
    let shown = destination.display();
    let path = folder.join(WRITER);
    let mut holder = String::new();
    for _ in 0..TRIES {
        let new = match fs::create_dir(folder) {
            Ok(()) => true,
            Err(e) if e.kind() == ErrorKind::AlreadyExists => false,
            Err(e) => return Err(Error::io(folder, "create")(e)),
        };
        // An empty one may be another process's that has just made it: the lock decides.
        if !new && !path.is_file() && !is_empty_or_gone(folder) {
            return refused(format!(
                "{} is in the way, and is no unfinished training; move it, or name another folder",
                folder.display()
            ));
        }
        let opened = OpenOptions::new().read(true).append(true).create(true).open(&path);
        let lock = match opened {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => continue,
            Err(e) => return Err(Error::io(path, "write")(e)),
        };
        match lock.try_lock() {
            // Whoever had locked it before may have removed it meanwhile, and a third have made it.
            Ok(()) if is_at(&lock, &path) => return Ok(Some(lock)),
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                holder = fs::read_to_string(&path).unwrap_or_default().trim().to_string();
                if !holder.is_empty() {
                    break;
                }
                thread::sleep(PAUSE);
            }
            Err(TryLockError::Error(_)) if new => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(Error::io(path, "lock")(e)),
        }
    }
    refused(format!(
        "{shown} is being written by another training (process {holder}); wait for it, or name \
         another folder"
    ))
}

fn is_empty_or_gone(folder: &Path) -> bool {
    match fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_none(),
        Err(e) => e.kind() == ErrorKind::NotFound,
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    let same = || -> io::Result<bool> {
        Ok(Handle::from_file(file.try_clone()?)? == Handle::from_path(path)?)
    };
    same().unwrap_or(false)
}

/// Whether what a process has left can be gone on from.
fn has_checkpoint(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder.join(CHECKPOINTS)) else { return false };
    // What is half-written has a dot before its name.
    entries.flatten().any(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
}

/// Removes what is in a folder, but for [`WRITER`] and what is to stay.
fn clear(folder: &Path, left: Left) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::io(folder, "read"))? {
        let entry = entry.map_err(Error::io(folder, "read"))?;
        let stays = left == Left::Kept && entry.file_name() != MADE;
        if stays || entry.file_name() == WRITER {
            continue;
        }
        let path = entry.path();
        let removed = match entry.file_type() {
            Ok(kind) if kind.is_dir() => fs::remove_dir_all(&path),
            _ => fs::remove_file(&path),
        };
        removed.map_err(Error::io(path, "remove"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(folder: &Path) -> String {
        match Claim::new(folder.to_path_buf(), Path::new("run"), Left::Respected) {
            Ok(_) => panic!("it was claimed"),
            Err(e) => e.to_string(),
        }
    }

    #[test]
    fn one_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join(".run.partial");
        let first = Claim::new(folder.clone(), Path::new("run"), Left::Respected).unwrap();
        fs::write(first.made().join("a"), "a").unwrap();
        let said = refused(&folder);
        let holder =
            format!("run is being written by another training (process {})", process::id());
        assert!(said.contains(&holder), "{said}");
        assert!(first.made().join("a").is_file());
        drop(first);
        assert!(!folder.exists());
        Claim::new(folder, Path::new("run"), Left::Respected).unwrap();
    }

    #[test]
    fn of_many_at_once_one_gets_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join(".run.partial");
        for _ in 0..50 {
            let claims: Vec<_> = thread::scope(|scope| {
                let claim = || Claim::new(folder.clone(), Path::new("run"), Left::Respected);
                let all: Vec<_> = (0..4).map(|_| scope.spawn(claim)).collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            assert_eq!(claims.iter().filter(|claim| claim.is_ok()).count(), 1);
        }
        assert!(!folder.exists());
    }

    #[test]
    fn what_a_dead_process_left_is_cleared_and_what_is_anothers_is_not() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join(".run.partial");
        fs::create_dir_all(folder.join("run/deep")).unwrap();
        fs::write(folder.join("run/deep/file"), "left").unwrap();
        assert!(refused(&folder).contains("is in the way"));
        assert_eq!(fs::read_to_string(folder.join("run/deep/file")).unwrap(), "left");
        // As a process leaves it that is killed.
        fs::write(folder.join(WRITER), "1\n").unwrap();
        let claim = Claim::new(folder.clone(), Path::new("run"), Left::Respected).unwrap();
        assert_eq!(fs::read_dir(claim.made()).unwrap().count(), 0);
        assert!(!folder.join("run/deep").exists());
        drop(claim);
        fs::write(&folder, "a file").unwrap();
        assert!(refused(&folder).contains("is in the way"));
        assert_eq!(fs::read_to_string(&folder).unwrap(), "a file");
    }

    #[test]
    fn what_can_be_gone_on_from_is_kept_refused_or_replaced() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join(".run.partial");
        let claimed = |left| Claim::new(folder.clone(), Path::new("run"), left);
        let first = claimed(Left::Respected).unwrap();
        fs::create_dir(first.checkpoints()).unwrap();
        fs::create_dir(first.checkpoints().join(".checkpoint-1.partial")).unwrap();
        assert!(!first.has_checkpoint(), "it is half-written");
        fs::create_dir(first.checkpoints().join("checkpoint-1")).unwrap();
        fs::write(first.made().join("a"), "a").unwrap();
        drop(first);
        let said = refused(&folder);
        assert!(said.contains("--resume run") && said.contains("--overwrite"), "{said}");
        let second = claimed(Left::Kept).unwrap();
        assert!(second.has_checkpoint() && !second.made().join("a").exists());
        second.leave();
        let mut third = claimed(Left::Kept).unwrap();
        third.done();
        drop(third);
        assert!(!folder.exists());
        let fourth = claimed(Left::Respected).unwrap();
        fs::create_dir_all(fourth.checkpoints().join("checkpoint-1")).unwrap();
        fourth.leave();
        let fifth = claimed(Left::Cleared).unwrap();
        assert!(!fifth.has_checkpoint());
        drop(fifth);
        assert!(!folder.exists());
    }
}

//! The cache on disk, which is shared with Python's `huggingface_hub`:
//!
//! ```text
//! models--org--name/blobs/ETAG                            a file's bytes
//! models--org--name/blobs/ETAG.incomplete                 those downloaded so far
//! models--org--name/snapshots/COMMIT/config.json          a link to ../../blobs/ETAG
//! models--org--name/refs/main                             COMMIT
//! .locks/models--org--name/ETAG.lock                      held by whoever writes the blob
//! ```

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};
use std::{fs, io, process};

use hf_hub::{CacheRepo, Repo};

use super::reference::{Reference, is_commit};
use crate::error::{Error, Result};
use crate::files;

/// The most bytes of a file that names a commit.
const MOST_REF: u64 = 1 << 10;

/// One repository's part of the cache.
pub(super) struct Cache<'a> {
    reference: &'a Reference,
    root: &'a Path,
    /// Knows the names of folders.
    layout: CacheRepo,
    folder: PathBuf,
}

impl<'a> Cache<'a> {
    pub(super) fn new(reference: &'a Reference, root: &'a Path) -> Self {
        let repo = Repo::model(reference.repository().to_owned());
        let folder = root.join(repo.folder_name());
        let layout = hf_hub::Cache::new(root.to_path_buf()).repo(repo);
        Self { reference, root, layout, folder }
    }

    /// The folder of all repositories.
    pub(super) fn root(&self) -> &Path {
        self.root
    }

    /// The folder with a commit's files, whether or not it is there.
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.layout.pointer_path(commit)
    }

    /// Where the bytes of a file belong.
    pub(super) fn blob(&self, etag: &str) -> PathBuf {
        self.layout.blob_path(etag)
    }

    /// The commit that the reference's revision meant when it was last fetched.
    pub(super) fn commit(&self) -> Option<String> {
        let revision = self.reference.revision();
        if is_commit(revision) {
            return Some(revision.into());
        }
        let commit = String::from_utf8(files::read(&self.ref_path(), MOST_REF).ok()?).ok()?;
        Some(commit.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    /// Records what the reference's revision means now. A commit needs no record.
    pub(super) fn note(&self, commit: &str) -> Result<()> {
        if self.commit().as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.ref_path();
        let parent = path.parent().unwrap_or(&self.folder);
        self.try_io("make", parent, fs::create_dir_all(parent))?;
        // Whoever reads it meanwhile finds the old commit or the new one.
        let new = with_suffix(&path, &format!(".{}.tmp", process::id()));
        let written = fs::write(&new, commit).and_then(|()| fs::rename(&new, &path));
        self.try_io("write", &path, written)
    }

    fn ref_path(&self) -> PathBuf {
        self.folder.join("refs").join(self.reference.revision())
    }

    /// Waits until nobody else writes a blob, and locks it while the result lives. The system
    /// releases the lock when a process ends.
    pub(super) fn lock(&self, etag: &str, mut waiting: impl FnMut()) -> Result<File> {
        let folder = self.folder.file_name().unwrap_or_default();
        let folder = self.root.join(".locks").join(folder);
        let path = folder.join(format!("{etag}.lock"));
        let blobs = self.folder.join("blobs");
        for made in [&folder, &blobs] {
            self.try_io("make", made, fs::create_dir_all(made))?;
        }
        loop {
            // Not truncated: another process may hold it.
            let file = File::options().write(true).create(true).truncate(false).open(&path);
            let file = self.try_io("write", &path, file)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    waiting();
                    self.try_io("lock", &path, file.lock())?;
                }
                Err(TryLockError::Error(error)) => self.try_io("lock", &path, Err(error))?,
            }
            // Python removes the file with the lock; the removed file that was waited for locks
            // nobody out.
            if path.exists() && !is_removed(&file) {
                return Ok(file);
            }
        }
    }

    /// Makes a whole blob a file of a snapshot.
    pub(super) fn link(&self, blob: &Path, pointer: &Path) -> Result<()> {
        let parent = pointer.parent().unwrap_or(&self.folder);
        self.try_io("make", parent, fs::create_dir_all(parent))?;
        let linked = match symlink(&relative(blob, parent), pointer) {
            // Another process was faster, or a link's blob had gone and is now back.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && pointer.exists() => Ok(()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => fs::remove_file(pointer)
                .and_then(|()| symlink(&relative(blob, parent), pointer))
                .map_err(|_| error),
            other => other,
        };
        // Where links are not available, the file itself is moved, as in Python.
        let placed = linked.or_else(|_| fs::rename(blob, pointer));
        self.try_io("write", pointer, placed)
    }

    /// Turns an I/O error into one that names the reference and what helps.
    pub(super) fn try_io<T>(&self, action: &str, path: &Path, result: io::Result<T>) -> Result<T> {
        result.map_err(|error| {
            let help = match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                    "make room there, or set HF_HOME to a folder on another disk"
                }
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                    "set HF_HOME to a folder that you may write to"
                }
                _ => "HF_HOME chooses another folder",
            };
            Error::Hub {
                reference: self.reference.to_string(),
                problem: format!("cannot {action} {} ({error}); {help}", path.display()),
                source: None,
            }
        })
    }
}

/// The file in which a blob's bytes are collected.
pub(super) fn incomplete(blob: &Path) -> PathBuf {
    with_suffix(blob, ".incomplete")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The relative path from a folder to a file, both below the same root.
fn relative(file: &Path, folder: &Path) -> PathBuf {
    let shared = file.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared).map(|_| Component::ParentDir);
    up.chain(file.components().skip(shared)).collect()
}

#[cfg(unix)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, link)
}

#[cfg(windows)]
fn symlink(target: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(target, link)
}

#[cfg(unix)]
fn is_removed(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|m| m.nlink() == 0)
}

/// No open file can be removed there.
#[cfg(windows)]
fn is_removed(_: &File) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_revision_is_noted_and_found() {
        let root = tempfile::tempdir().unwrap();
        let reference: Reference = "hf://org/name@refs%2Fpr%2F3".parse().unwrap();
        let cache = Cache::new(&reference, root.path());
        assert_eq!(cache.commit(), None);
        cache.note(COMMIT).unwrap();
        assert_eq!(cache.commit().as_deref(), Some(COMMIT));
        let path = root.path().join("models--org--name/refs/refs/pr/3");
        assert_eq!(fs::read_to_string(&path).unwrap(), COMMIT);
        fs::write(&path, "../../elsewhere").unwrap();
        assert_eq!(cache.commit(), None, "a ref that is no commit leads nowhere");

        let reference: Reference = format!("hf://org/other@{COMMIT}").parse().unwrap();
        let cache = Cache::new(&reference, root.path());
        cache.note(COMMIT).unwrap();
        assert!(!root.path().join("models--org--other").exists(), "a commit is its own note");
    }

    #[test]
    #[cfg(unix)]
    fn a_snapshots_file_is_a_relative_link() {
        let root = tempfile::tempdir().unwrap();
        let reference: Reference = "hf://org/name".parse().unwrap();
        let cache = Cache::new(&reference, root.path());
        let blob = cache.blob("abc");
        let pointer = cache.snapshot(COMMIT).join("sub/config.json");
        fs::create_dir_all(blob.parent().unwrap()).unwrap();
        fs::write(&blob, "{}").unwrap();
        for _ in 0..2 {
            cache.link(&blob, &pointer).unwrap();
            assert_eq!(fs::read_link(&pointer).unwrap(), Path::new("../../../blobs/abc"));
            assert_eq!(fs::read_to_string(&pointer).unwrap(), "{}");
        }
        // A link whose blob was deleted, and came back under another name.
        fs::remove_file(&blob).unwrap();
        let blob = cache.blob("def");
        fs::write(&blob, "[]").unwrap();
        cache.link(&blob, &pointer).unwrap();
        assert_eq!(fs::read_to_string(&pointer).unwrap(), "[]");
    }

    #[test]
    fn a_lock_keeps_others_waiting() {
        let root = tempfile::tempdir().unwrap();
        let reference: Reference = "hf://org/name".parse().unwrap();
        let cache = Cache::new(&reference, root.path());
        let held = cache.lock("abc", || panic!("nobody holds it")).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let (reference, root) = (&reference, root.path());
            let other = scope.spawn(move || {
                let cache = Cache::new(reference, root);
                cache.lock("abc", || tell.send(()).unwrap()).map(|_| ())
            });
            told.recv().unwrap();
            assert!(!other.is_finished());
            drop(held);
            other.join().unwrap().unwrap();
        });
    }
}

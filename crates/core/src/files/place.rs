//! Files and folders that are never half-written, and never in another's way.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, Result};

/// Makes something beside its place, in a folder that may be new, and moves it there once it is
/// whole. What is there already stays, even if it came meanwhile.
pub(crate) fn whole(place: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    refuse_existing(place)?;
    let parent = parent(place);
    fs::create_dir_all(parent).map_err(Error::io(parent, "create"))?;
    // Under a name that nobody has: what a person has put beside the place is not ours.
    let beside = folder_beside(place).map_err(Error::io(parent, "write to"))?;
    let made = beside.path().join(place.file_name().unwrap_or_default());
    make(&made).map_err(|error| at_place(error, &made, place))?;
    put(&made, place)
}

/// The same error where a file belongs: nobody knows the place where it was made.
fn at_place(error: Error, made: &Path, place: &Path) -> Error {
    match error {
        Error::Io { path, action, source } => {
            let path = match path.strip_prefix(made) {
                Ok(below) if below.as_os_str().is_empty() => place.to_path_buf(),
                Ok(below) => place.join(below),
                Err(_) => path,
            };
            Error::Io { path, action, source }
        }
        other => other,
    }
}

/// Refuses a place where something is already.
///
/// # Errors
/// If so.
pub fn refuse_existing(place: &Path) -> Result<()> {
    // A link that leads nowhere is something, too.
    match place.symlink_metadata() {
        Ok(_) => Err(Error::Path {
            path: place.to_path_buf(),
            problem: "is there already; name another place, or remove it".into(),
        }),
        Err(_) => Ok(()),
    }
}

/// Moves what was made to its place. If something has come there meanwhile, it goes beside it.
fn put(made: &Path, place: &Path) -> Result<()> {
    let error = match move_new(made, place) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => e,
        done => return done.map_err(Error::io(place, "write")),
    };
    Err(match move_aside(made, place) {
        Some(kept) => {
            let problem = "appeared meanwhile, and is left as it is".into();
            Error::Kept { path: place.to_path_buf(), problem, kept }
        }
        None => Error::io(place, "write")(error),
    })
}

/// Moves a file or folder to a free name beside a place that is taken: `run-2`, `plan-2.toml`.
pub(crate) fn move_aside(from: &Path, place: &Path) -> Option<PathBuf> {
    let name = place.file_name()?.to_string_lossy();
    let (stem, ending) = match name.rsplit_once('.') {
        Some((stem, ending)) if from.is_file() && !stem.is_empty() => (stem, format!(".{ending}")),
        _ => (&*name, String::new()),
    };
    let numbered = |i: u32| place.with_file_name(format!("{stem}-{i}{ending}"));
    (2..100).map(numbered).find(|free| move_new(from, free).is_ok())
}

/// The folder that a file is in.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A folder beside a path, under a name that nobody has: `.NAME.XXXXXX.partial`. It goes when it is
/// dropped.
fn folder_beside(path: &Path) -> io::Result<TempDir> {
    let prefix = format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy());
    tempfile::Builder::new().prefix(&prefix).suffix(".partial").tempdir_in(parent(path))
}

/// Moves a file or folder to a place where nothing is.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], if something is.
pub(crate) fn move_new(from: &Path, to: &Path) -> io::Result<()> {
    match rename_with(from, to, Renaming::New) {
        // The file system cannot do both in one step.
        Err(e) if lacks(&e) => match to.symlink_metadata() {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => fs::rename(from, to),
        },
        done => done,
    }
}

/// Lets two folders change places, in one step where the system can: a reader finds one or the
/// other.
///
/// # Errors
/// If one is not there, or cannot be moved.
pub(crate) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    match rename_with(one, other, Renaming::Exchange) {
        Err(e) if lacks(&e) => exchange_in_steps(one, other),
        done => done,
    }
}

/// The same where the system cannot do it in one step. Whatever happens in between, both are there,
/// the other perhaps under another name.
fn exchange_in_steps(one: &Path, other: &Path) -> io::Result<()> {
    let beside = folder_beside(other)?;
    let aside = beside.path().join("aside");
    fs::rename(other, &aside)?;
    let moved = fs::rename(one, other);
    if moved.is_err() && fs::rename(&aside, other).is_err() {
        let _ = beside.keep();
        return moved;
    }
    moved.and_then(|()| fs::rename(aside, one))
}

#[derive(Clone, Copy)]
enum Renaming {
    New,
    Exchange,
}

#[cfg(target_os = "linux")]
fn rename_with(from: &Path, to: &Path, renaming: Renaming) -> io::Result<()> {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;

    let from = CString::new(from.as_os_str().as_bytes())?;
    let to = CString::new(to.as_os_str().as_bytes())?;
    let flags = match renaming {
        Renaming::New => libc::RENAME_NOREPLACE,
        Renaming::Exchange => libc::RENAME_EXCHANGE,
    };
    // The C library's own function is newer than the oldest that binaries are to run with.
    let call = libc::SYS_renameat2;
    // SAFETY: both are texts that end with a zero, and live until the call returns.
    let done = unsafe {
        libc::syscall(call, libc::AT_FDCWD, from.as_ptr(), libc::AT_FDCWD, to.as_ptr(), flags)
    };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
fn rename_with(_: &Path, _: &Path, _: Renaming) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Whether the system or the file system lacks a way to rename.
fn lacks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
        || matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::ENOTSUP))
}

/// The bytes that are free on the disk of a folder; `None`: the system does not tell.
#[cfg(unix)]
pub fn free_space(folder: &Path) -> Option<u64> {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;

    let folder = CString::new(folder.as_os_str().as_bytes()).ok()?;
    // SAFETY: all zeros are a value of this plain struct.
    let mut answer: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends with a zero, and the answer is ours to write to.
    let told = unsafe { libc::statvfs(folder.as_ptr(), &mut answer) } == 0;
    told.then(|| (answer.f_bavail as u64).saturating_mul(answer.f_frsize as u64))
}

/// The bytes that are free on the disk of a folder; `None`: the system does not tell.
#[cfg(not(unix))]
pub fn free_space(_: &Path) -> Option<u64> {
    None
}

/// Writes a file beside its place first, then renamed: it is never half-written.
///
/// # Errors
/// If it cannot be written.
pub fn replace(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    replace_by(path, |partial| fs::write(partial, contents).map_err(Error::io(path, "write")))
}

/// The same with a file that `write` makes, at the path that it is given.
///
/// # Errors
/// What `write` says, or if the file cannot be moved.
pub(crate) fn replace_by(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let beside = folder_beside(path).map_err(Error::io(path, "write"))?;
    let partial = beside.path().join(path.file_name().unwrap_or_default());
    write(&partial)?;
    fs::rename(&partial, path).map_err(Error::io(path, "write"))
}

/// Writes a new file. If something has come to its place meanwhile, that stays, and the new file is
/// beside it.
///
/// # Errors
/// If it cannot be written, or is beside its place ([`Error::Kept`]).
pub fn write_new(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    let beside = folder_beside(path).map_err(Error::io(path, "write"))?;
    let made = beside.path().join(path.file_name().unwrap_or_default());
    fs::write(&made, contents).map_err(Error::io(path, "write"))?;
    put(&made, path)
}

/// Puts the files of a folder on the disk, and their names.
///
/// # Errors
/// If the system cannot.
pub(crate) fn sync_files(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::io(folder, "read"))? {
        let path = entry.map_err(Error::io(folder, "read"))?.path();
        if path.is_file() {
            let synced = fs::File::open(&path).and_then(|file| file.sync_all());
            synced.map_err(Error::io(path, "write"))?;
        }
    }
    sync_folder(folder)
}

/// Puts the names in a folder on the disk: what was renamed there stays so if the power fails.
///
/// # Errors
/// If the system cannot.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    // Only there is a folder a file that can be opened.
    #[cfg(unix)]
    fs::File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(Error::io(folder, "write to"))?;
    Ok(())
}

/// `folder/name` to `folder/.name.partial`.
pub(crate) fn partial(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.partial"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that holds a file with its name.
    fn folder(of: &Path, name: &str) -> PathBuf {
        let folder = of.join(name);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("name"), name).unwrap();
        folder
    }

    fn name(of: &Path) -> String {
        fs::read_to_string(of.join("name")).unwrap()
    }

    #[test]
    fn folders_change_places() {
        for how in [exchange, exchange_in_steps] {
            let place = tempfile::tempdir().unwrap();
            let [a, b] = ["a", "b"].map(|name| folder(place.path(), name));
            how(&a, &b).unwrap();
            assert_eq!((name(&a).as_str(), name(&b).as_str()), ("b", "a"));
            assert!(how(&a, &place.path().join("none")).is_err());
            assert!(how(&place.path().join("none"), &b).is_err());
            assert_eq!((name(&a).as_str(), name(&b).as_str()), ("b", "a"));
            assert_eq!(fs::read_dir(&place).unwrap().count(), 2);
        }
    }

    #[test]
    fn what_is_there_is_not_moved_over() {
        let place = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| folder(place.path(), name));
        let empty = place.path().join("empty");
        fs::create_dir(&empty).unwrap();
        for taken in [&b, &empty] {
            let error = move_new(&a, taken).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        }
        assert_eq!(move_aside(&a, &b), Some(place.path().join("b-2")));
        assert_eq!(name(&place.path().join("b-2")), "a");

        let plan = place.path().join("plan.toml");
        write_new(&plan, "first").unwrap();
        let said = write_new(&plan, "second").unwrap_err().to_string();
        assert!(said.contains("plan.toml: appeared meanwhile"), "{said}");
        assert!(said.contains("plan-2.toml"), "{said}");
        let read = |name: &str| fs::read_to_string(place.path().join(name)).unwrap();
        assert_eq!((read("plan.toml"), read("plan-2.toml")), ("first".into(), "second".into()));
        assert!(whole(&plan, |_| panic!("it is made in vain")).is_err());
        replace(&plan, "third").unwrap();
        assert_eq!(read("plan.toml"), "third");
    }

    #[test]
    fn what_a_person_has_put_beside_a_place_stays() {
        let place = tempfile::tempdir().unwrap();
        let theirs = folder(place.path(), ".out.partial");
        whole(&place.path().join("out"), |made| {
            fs::write(made, "made").map_err(Error::io(made, "write"))
        })
        .unwrap();
        replace(&place.path().join("out"), "again").unwrap();
        assert_eq!(name(&theirs), ".out.partial");
        assert_eq!(fs::read_dir(&place).unwrap().count(), 2);
    }

    #[test]
    fn the_space_that_is_left_is_told() {
        assert!(free_space(&std::env::temp_dir()).is_some_and(|bytes| bytes > 0) || cfg!(windows));
        assert_eq!(free_space(Path::new("/no/such/folder")), None);
    }
}

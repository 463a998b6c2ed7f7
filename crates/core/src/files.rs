//! Files that are never half-written, and JSON.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Makes something beside its place, in a folder that may be new, and moves it there once it is
/// whole.
pub(crate) fn whole(place: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    if place.exists() {
        return Err(Error::Path {
            path: place.to_path_buf(),
            problem: "is there already; name another place, or remove it".into(),
        });
    }
    let parent = place.parent().unwrap_or(place);
    fs::create_dir_all(parent).map_err(Error::io(parent, "create"))?;
    let partial = beside(place);
    let made = make(&partial)
        .and_then(|()| fs::rename(&partial, place).map_err(Error::io(place, "write")));
    if made.is_err() {
        remove(&partial);
    }
    made
}

/// Clears away what was begun.
fn remove(partial: &Path) {
    // It may not be there, and a failure to remove it is not what went wrong.
    let _ = fs::remove_dir_all(partial);
    let _ = fs::remove_file(partial);
}

/// A digest in hexadecimal.
pub(crate) fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a JSON file.
///
/// # Errors
/// If it cannot be read, or says something else than expected (the message has line and column).
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read(path).map_err(Error::io(path, "read"))?;
    serde_json::from_slice(&text)
        .map_err(|e| Error::Malformed { path: path.to_path_buf(), problem: e.to_string() })
}

/// Writes a JSON file, beside its place first, then renamed.
pub fn write_json<T: Serialize + ?Sized>(path: &Path, value: &T) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|e| Error::Malformed { path: path.to_path_buf(), problem: e.to_string() })?;
    text.push(b'\n');
    replace(path, text)
}

/// Writes a file beside its place first, then renamed: it is never half-written.
///
/// # Errors
/// If it cannot be written.
pub fn replace(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    let beside = beside(path);
    fs::write(&beside, contents).map_err(Error::io(&beside, "write"))?;
    fs::rename(&beside, path).map_err(Error::io(path, "write"))
}

/// `folder/name` to `folder/.name.partial`.
pub(crate) fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.partial"))
}

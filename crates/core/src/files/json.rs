//! JSON files.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::place::replace;
use super::small::read;
use crate::error::{Error, Result};

/// The most bytes of a JSON file that is read: of a description, not of weights.
pub const MOST_JSON: u64 = 16 << 20;

/// Reads a JSON file of at most [`MOST_JSON`] bytes.
///
/// # Errors
/// As [`read`], or if it says something else than expected (the message has line and column).
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    read_json_within(path, MOST_JSON)
}

/// The same of another limit, in bytes.
///
/// # Errors
/// As [`read_json`].
pub fn read_json_within<T: DeserializeOwned>(path: &Path, most: u64) -> Result<T> {
    let text = read(path, most)?;
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

//! Files that a command writes at its end.

use std::path::Path;

use anyhow::Result;
use crosstune_core::files::{replace, write_new};

/// Writes a file, wholly or not at all. One that has come to its place since the command began is
/// replaced only if that was asked for.
///
/// # Errors
/// If it cannot be written, or is beside its place.
pub(crate) fn save(path: &Path, contents: impl AsRef<[u8]>, overwrite: bool) -> Result<()> {
    match overwrite {
        true => replace(path, contents)?,
        false => write_new(path, contents)?,
    }
    Ok(())
}

//! Files that a command writes.

use std::path::Path;

use anyhow::Result;

use super::setting;

/// Refuses, before any work, a file that is there already, unless it may be replaced.
///
/// # Errors
/// If it is, or if it is no file.
pub(crate) fn refuse_existing(option: &'static str, path: &Path, overwrite: bool) -> Result<()> {
    // A link that leads nowhere is something, too.
    let Ok(there) = path.symlink_metadata() else { return Ok(()) };
    let path = path.display();
    let problem = if !overwrite {
        format!("{path} exists; name another, or add --overwrite")
    } else if there.is_dir() {
        format!("{path} is a folder; name a file")
    } else if !there.is_file() && !there.is_symlink() {
        format!("{path} is no ordinary file; name another")
    } else {
        return Ok(());
    };
    Err(setting(option, problem))
}

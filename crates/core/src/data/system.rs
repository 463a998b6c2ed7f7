//! What operating systems leave in folders.

use std::ffi::OsStr;

/// Folders beside those of people: macOS's, Synology's, Linux's and Windows's.
const SYSTEM: &[&str] =
    &["__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"];

/// Whether a file or folder of this name is passed over: by Unix's custom, or because no person put
/// it there.
pub(super) fn is_hidden(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('.') || SYSTEM.contains(&&*name)
}

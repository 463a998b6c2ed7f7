//! Whether files have changed.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::path::Path;
use std::time::SystemTime;

/// What tells whether the files of a model are other ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp(Vec<(OsString, u64, u64, Option<SystemTime>)>);

impl Stamp {
    /// Of a file, or of all files in a folder. What is not there has none.
    pub(crate) fn of(path: &Path) -> Self {
        let one =
            |name, about: Metadata| (name, number(&about), about.len(), about.modified().ok());
        let mut files = vec![];
        if let Ok(about) = fs::metadata(path)
            && about.is_file()
        {
            files.push(one(OsString::new(), about));
        }
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            if let Ok(about) = fs::metadata(entry.path())
                && about.is_file()
            {
                files.push(one(entry.file_name(), about));
            }
        }
        files.sort();
        Self(files)
    }
}

/// A file's number, which another one at its place does not have.
#[cfg(unix)]
fn number(about: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(about)
}

#[cfg(not(unix))]
fn number(_: &Metadata) -> u64 {
    0
}

//! A folder for work that takes long, beside what it makes.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::claim::{Claim, Left};
use crate::error::{Error, Result};
use crate::files::{is_there, parent, partial, read_json, sync_folder, write_json};

/// A folder for work that takes long, beside its destination: `.NAME.partial`. One process has it at a
/// time. It goes when it is dropped, unless it is [left](Self::leave); if the process dies or panics, the
/// next one finds what is in it.
#[derive(Debug)]
pub struct WorkFolder(Claim);

impl WorkFolder {
    /// Claims the folder of what is going to be made at `destination`, with what another process has
    /// left in it, or cleared.
    ///
    /// # Errors
    /// If another process has it, or if it cannot be made.
    pub fn claim(destination: &Path, clear: bool) -> Result<Self> {
        let parent = parent(destination);
        fs::create_dir_all(parent).map_err(Error::io(parent, "create"))?;
        let left = if clear { Left::Cleared } else { Left::Kept };
        Claim::new(partial(destination), destination, left).map(Self)
    }

    /// A file or folder in it, which may not be there.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.folder().join(name)
    }

    /// What [`write`](Self::write) wrote under a name; `None`: nothing.
    ///
    /// # Errors
    /// If it cannot be read as what it should be.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let file = self.file(name);
        is_there(&file).then(|| read_json(&file)).transpose()
    }

    /// Writes a JSON file, whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        write_json(&self.file(name), value)?;
        sync_folder(self.0.folder())
    }

    /// Leaves all that is in it for another process.
    pub fn leave(mut self) {
        self.0.abandon();
    }
}

impl Drop for WorkFolder {
    fn drop(&mut self) {
        match thread::panicking() {
            true => self.0.abandon(),
            false => self.0.done(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_found_and_what_is_dropped_is_gone() {
        let place = tempfile::tempdir().unwrap();
        let made = place.path().join("folder/report.json");
        let work = WorkFolder::claim(&made, false).unwrap();
        assert_eq!(work.read::<u32>("one.json").unwrap(), None);
        work.write("one.json", &1).unwrap();
        let said = WorkFolder::claim(&made, true).unwrap_err().to_string();
        assert!(said.contains("is being written by another"), "{said}");
        work.leave();
        let work = WorkFolder::claim(&made, false).unwrap();
        assert_eq!(work.read("one.json").unwrap(), Some(1));
        work.leave();
        let work = WorkFolder::claim(&made, true).unwrap();
        assert_eq!(work.read::<u32>("one.json").unwrap(), None);
        drop(work);
        assert_eq!(fs::read_dir(place.path().join("folder")).unwrap().count(), 0);
    }
}

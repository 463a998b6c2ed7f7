//! The files of a package, by their places in it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// What a file holds.
#[derive(Debug)]
pub(super) enum Contents {
    Text(String),
    Of(PathBuf),
}

/// A file of a package.
#[derive(Debug)]
pub(super) struct Entry {
    contents: Contents,
    /// Whether it is a program.
    pub(super) is_program: bool,
}

impl Entry {
    /// Its size in bytes.
    pub(super) fn size(&self) -> Result<u64> {
        match &self.contents {
            Contents::Text(text) => Ok(text.len() as u64),
            Contents::Of(path) => {
                Ok(fs::metadata(path).with_context(|| path.display().to_string())?.len())
            }
        }
    }

    /// Opens it.
    pub(super) fn open(&self) -> Result<Box<dyn Read + '_>> {
        Ok(match &self.contents {
            Contents::Text(text) => Box::new(text.as_bytes()),
            Contents::Of(path) => {
                Box::new(File::open(path).with_context(|| path.display().to_string())?)
            }
        })
    }

    /// Its permissions, as Unix writes them.
    pub(super) fn mode(&self) -> u32 {
        if self.is_program { 0o755 } else { 0o644 }
    }
}

/// Files by their paths in a package, in the order of these: so the same files make the same package.
#[derive(Debug, Default)]
pub(super) struct Tree(pub(super) BTreeMap<String, Entry>);

impl Tree {
    /// Adds a file of this text.
    pub(super) fn text(&mut self, place: impl Into<String>, text: impl Into<String>) {
        let contents = Contents::Text(text.into());
        self.0.insert(place.into(), Entry { contents, is_program: false });
    }

    /// Adds a file of the disk.
    pub(super) fn file(&mut self, place: impl Into<String>, path: &Path) {
        let contents = Contents::Of(path.to_path_buf());
        self.0.insert(place.into(), Entry { contents, is_program: false });
    }

    /// Adds a program of the disk.
    pub(super) fn program(&mut self, place: impl Into<String>, path: &Path) {
        let contents = Contents::Of(path.to_path_buf());
        self.0.insert(place.into(), Entry { contents, is_program: true });
    }

    /// Adds the files of a folder and of the folders in it, below `place`. There must be some.
    pub(super) fn folder(&mut self, place: &str, folder: &Path) -> Result<()> {
        let before = self.0.len();
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let entry = entry.with_context(|| folder.display().to_string())?;
            let place = format!("{place}/{}", entry.file_name().display());
            match entry.path().is_dir() {
                true => self.folder(&place, &entry.path())?,
                false => self.file(place, &entry.path()),
            }
        }
        ensure!(self.0.len() > before, "{} is empty", folder.display());
        Ok(())
    }

    /// Adds all files of another, below `place`.
    pub(super) fn all(&mut self, place: &str, other: &Self) {
        for (name, Entry { contents, is_program }) in &other.0 {
            let contents = match contents {
                Contents::Text(text) => Contents::Text(text.clone()),
                Contents::Of(path) => Contents::Of(path.clone()),
            };
            let entry = Entry { contents, is_program: *is_program };
            self.0.insert(format!("{place}{name}"), entry);
        }
    }
}

/// Writes a file beside its place first, so that it is whole or not there.
pub(super) fn whole(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
) -> Result<()> {
    let beside = path.with_extension("partial");
    let written = File::create(&beside).map_err(Into::into).and_then(|file| {
        let mut file = BufWriter::new(file);
        write(&mut file)?;
        file.flush().map_err(anyhow::Error::from)
    });
    let moved = written.and_then(|()| Ok(fs::rename(&beside, path)?));
    if moved.is_err() {
        let _ = fs::remove_file(&beside);
    }
    moved.with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_with_all_that_is_in_it() -> Result<()> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("b"))?;
        fs::write(folder.path().join("b/c"), "12")?;
        fs::write(folder.path().join("a"), "1")?;
        let mut tree = Tree::default();
        tree.folder("x", folder.path())?;
        let mut all = Tree::default();
        all.all("y/", &tree);
        let sizes: Result<Vec<_>> =
            all.0.iter().map(|(name, entry)| Ok((name.as_str(), entry.size()?))).collect();
        assert_eq!(sizes?, [("y/x/a", 1), ("y/x/b/c", 2)]);
        Ok(())
    }

    #[test]
    fn what_fails_leaves_nothing() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("a.whl");
        assert!(whole(&path, |_| anyhow::bail!("no")).is_err());
        assert_eq!(fs::read_dir(folder.path())?.count(), 0);
        Ok(())
    }
}

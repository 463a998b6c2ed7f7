//! The files that a table names: relative to its folder, or to one near it, and as other systems
//! write them.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// Finds the files that a table names.
#[derive(Debug)]
pub(super) struct Paths<'a> {
    /// The table's folder.
    base: &'a Path,
    /// Endings that a name may lack.
    extensions: &'a [&'static str],
    /// The folder that others were relative to, once one is found there.
    pub(super) elsewhere: Option<PathBuf>,
    /// How often it may yet be looked for.
    searches: usize,
}

/// So many folders above the table's are looked at: a table may have been made at a project's root.
const ABOVE: usize = 4;

/// So many files are looked for elsewhere, so that a table of missing ones is not slow.
const SEARCHES: usize = 20;

/// Where Common Voice has the files that its tables name.
const CLIPS: &str = "clips";

impl<'a> Paths<'a> {
    pub(super) fn of(table: &'a Path, extensions: &'a [&'static str]) -> Self {
        let base = table.parent().unwrap_or(Path::new("."));
        Self { base, extensions, elsewhere: None, searches: SEARCHES }
    }

    /// The file of a name, if it is there; else where it should be.
    pub(super) fn find(&mut self, name: &str) -> Result<PathBuf, PathBuf> {
        let plain = self.base.join(name);
        if plain.is_file() {
            return Ok(plain);
        }
        let clips = self.base.join(CLIPS);
        let known = self.elsewhere.iter().map(PathBuf::as_path).chain([self.base, &clips]);
        if let Some(file) =
            known.flat_map(|folder| self.variants(folder, name)).find(|f| f.is_file())
        {
            return Ok(file);
        }
        if self.elsewhere.is_some() || self.searches == 0 || Path::new(name).is_absolute() {
            return Err(plain);
        }
        self.searches -= 1;
        let near = near(self.base);
        let mut found = near.into_iter().filter_map(|folder| {
            let file = self.variants(&folder, name).into_iter().find(|file| file.is_file())?;
            Some((folder, file))
        });
        match (found.next(), found.next()) {
            (Some((folder, file)), None) => {
                self.elsewhere = Some(folder);
                Ok(file)
            }
            // In two places it may be either.
            _ => Err(plain),
        }
    }

    /// What a name may mean in a folder: as it is, with backslashes between folders, as a URL of a
    /// file; each also without its ending.
    fn variants(&self, folder: &Path, name: &str) -> Vec<PathBuf> {
        let name = name.strip_prefix("file://").unwrap_or(name);
        let mut names = vec![Cow::Borrowed(name)];
        if name.contains('\\') {
            names.push(name.replace('\\', "/").into());
        }
        let ended: Vec<_> = names
            .iter()
            .filter(|_| Path::new(name).extension().is_none())
            .flat_map(|name| self.extensions.iter().map(move |end| format!("{name}.{end}").into()))
            .collect();
        names.extend::<Vec<Cow<'_, str>>>(ended);
        names.iter().map(|name| folder.join(&**name)).collect()
    }
}

/// The folders beside a table and beside its folder, and those above.
fn near(base: &Path) -> Vec<PathBuf> {
    let folders = |of: &Path| -> Vec<PathBuf> {
        let entries = of.read_dir().into_iter().flatten().flatten();
        let mut folders: Vec<_> = entries.map(|e| e.path()).filter(|path| path.is_dir()).collect();
        folders.sort();
        folders
    };
    // As the table's folder is written, so that what lies below is known as its own.
    let mut near = folders(base);
    let base = base.canonicalize().unwrap_or_else(|_| base.to_path_buf());
    if let Some(above) = base.parent() {
        near.extend(folders(above).into_iter().filter(|folder| *folder != base));
    }
    near.extend(base.ancestors().skip(1).take(ABOVE).map(Path::to_path_buf));
    near
}

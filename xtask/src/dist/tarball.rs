//! The archive: binaries, libtorch, manual pages and completions, in one folder.

use std::path::Path;

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::tree::{Tree, whole};

/// The time of all files in seconds since 1970: the first that zip archives know, 1980.
const TIME: u64 = 315_532_800;

/// Writes a tree as a `.tar.gz`. The same files make the same bytes.
pub(super) fn write(tree: &Tree, path: &Path) -> Result<()> {
    whole(path, |out| {
        // No name and no time of its own.
        let packed = GzBuilder::new().mtime(0).write(out, Compression::new(6));
        let mut builder = Builder::new(packed);
        for (name, entry) in &tree.0 {
            let mut header = Header::new_gnu();
            header.set_entry_type(EntryType::Regular);
            header.set_size(entry.size()?);
            header.set_mode(entry.mode());
            header.set_mtime(TIME);
            header.set_uid(0);
            header.set_gid(0);
            builder.append_data(&mut header, name, entry.open()?).context(name.clone())?;
        }
        builder.into_inner()?.finish()?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn what_was_packed_comes_out_and_twice_it_is_the_same() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let source = folder.path().join("source");
        fs::write(&source, "#!/bin/sh\n")?;
        let mut tree = Tree::default();
        tree.text("top/README.md", "read\n");
        tree.program("top/bin/run", &source);
        let paths = ["a.tar.gz", "b.tar.gz"].map(|name| folder.path().join(name));
        for path in &paths {
            write(&tree, path)?;
        }
        assert_eq!(fs::read(&paths[0])?, fs::read(&paths[1])?);

        let mut archive = tar::Archive::new(GzDecoder::new(File::open(&paths[0])?));
        let mut found = vec![];
        for entry in archive.entries()? {
            let mut entry = entry?;
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            let name = entry.path()?.display().to_string();
            found.push((name, entry.header().mode()?, entry.header().mtime()?, text));
        }
        let mode = fs::metadata(&source)?.permissions().mode() & 0o111;
        // The archive's word counts, not the disk's.
        assert_eq!(mode, 0);
        assert_eq!(
            found,
            [
                ("top/README.md".to_owned(), 0o644, TIME, "read\n".to_owned()),
                ("top/bin/run".to_owned(), 0o755, TIME, "#!/bin/sh\n".to_owned()),
            ]
        );
        Ok(())
    }
}

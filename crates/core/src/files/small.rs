//! Small files, which are no larger than they may be.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// Whether something has this name, be it a link that leads nowhere. What is there is opened, or
/// refused by name, rather than passed over for another file.
pub fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// Opens a regular file to read. Anything else is refused: a pipe would wait for its other end, a
/// device may never end.
///
/// # Errors
/// If it is none, or cannot be opened.
pub fn open(path: &Path) -> Result<File> {
    let malformed = |problem: String| Error::Malformed { path: path.to_path_buf(), problem };
    let mut options = File::options();
    options.read(true);
    // Opened so, a pipe does not wait; to a regular file it means nothing.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.open(path).map_err(|e| match (e.kind(), fs::read_link(path)) {
        (ErrorKind::NotFound, Ok(to)) => {
            malformed(format!("is a link to {}, which is not there", to.display()))
        }
        _ => Error::io(path, "read")(e),
    })?;
    let metadata = file.metadata().map_err(Error::io(path, "read"))?;
    match (metadata.is_file(), metadata.is_dir()) {
        (true, _) => Ok(file),
        (_, true) => Err(malformed("is a folder, expected a file".into())),
        _ => Err(malformed("is a pipe or a device, expected a file".into())),
    }
}

/// Reads a regular file of at most `most` bytes.
///
/// # Errors
/// If it is none, if it is larger, or if it cannot be read.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let (file, mut contents) = (open(path)?, vec![]);
    file.take(most + 1).read_to_end(&mut contents).map_err(Error::io(path, "read"))?;
    if contents.len() as u64 > most {
        let problem = format!("is larger than {}, the most that such a file can be", bytes(most));
        return Err(Error::Malformed { path: path.to_path_buf(), problem });
    }
    Ok(contents)
}

/// A number of bytes for people: `4.0 GiB`.
pub(crate) fn bytes(number: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let (mut size, mut unit) = (number as f64 / 1024., 0);
    while size >= 1024. && unit + 1 < units.len() {
        (size, unit) = (size / 1024., unit + 1);
    }
    format!("{size:.1} {}", units[unit])
}

/// The SHA-256 of a file, in hexadecimal digits.
///
/// # Errors
/// If it is no regular file, or cannot be read.
pub fn digest(path: &Path) -> Result<String> {
    let (mut file, mut hash) = (open(path)?, Sha256::new());
    let mut piece = vec![0; 1 << 16];
    loop {
        match file.read(&mut piece).map_err(Error::io(path, "read"))? {
            0 => return Ok(hexadecimal(&hash.finalize())),
            read => hash.update(&piece[..read]),
        }
    }
}

/// A digest in hexadecimal.
pub(crate) fn hexadecimal(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::json::read_json;
    use super::*;

    #[test]
    fn a_file_is_read_to_its_limit() -> Result<()> {
        let folder = tempfile::tempdir().map_err(Error::io("a folder", "make"))?;
        let path = folder.path().join("a.json");
        fs::write(&path, "[1, 2]").map_err(Error::io(&path, "write"))?;
        assert_eq!(read(&path, 6)?, b"[1, 2]");
        assert_eq!(read_json::<[u8; 2]>(&path)?, [1, 2]);
        assert!(digest(&path)?.starts_with("3a316d6d"), "{}", digest(&path)?);
        let error = read(&path, 5).unwrap_err().to_string();
        assert!(
            error.ends_with("a.json: is larger than 0.0 KiB, the most that such a file can be")
        );
        let missing = folder.path().join("b");
        assert!(!is_there(&missing) && read(&missing, 5).is_err());
        assert!(read(folder.path(), 5).unwrap_err().to_string().ends_with("expected a file"));
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_named_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        assert!(std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        std::os::unix::fs::symlink("/nowhere/at/all", path("link")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", path("zero")).unwrap();
        for (name, said) in [
            ("pipe", "is a pipe or a device, expected a file"),
            ("zero", "is a pipe or a device, expected a file"),
            ("link", "is a link to /nowhere/at/all, which is not there"),
        ] {
            assert!(is_there(&path(name)));
            let error = read(&path(name), 100).unwrap_err().to_string();
            assert!(error.ends_with(&format!("{name}: {said}")), "{error}");
        }
    }
}

//! What several tests of pictures need.

use std::{fs, path::PathBuf};

/// A file or folder of the fixtures.
pub(crate) fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures", name].iter().collect()
}

/// The files of `formats/`, by name.
pub(crate) fn formats() -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(fixture("formats")).unwrap().map(|entry| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    });
    files.collect()
}

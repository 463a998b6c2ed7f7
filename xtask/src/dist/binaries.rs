//! The binaries, built so that they find libtorch beside themselves and name no place of this machine.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::needs::Needs;
use crate::build::WITHOUT_XTASK;
use crate::{paths, process};

/// The modalities, each of which has a binary.
pub(super) const MODALITIES: [&str; 3] = ["audio", "image", "text"];

/// Where a binary looks for libtorch: in the archive, and beside its package in a Python environment.
const RUNPATH: &str = "$ORIGIN/../lib:$ORIGIN/../../torch/lib";

/// What every Linux with glibc has, and libstdc++.
const SYSTEM: [&str; 5] =
    ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "libstdc++.so.6", "ld-linux-x86-64.so.2"];

/// Variables that would choose another libtorch.
const CHOICES: [&str; 5] = [
    "LIBTORCH_USE_PYTORCH",
    "LIBTORCH_LIB",
    "LIBTORCH_INCLUDE",
    "LIBTORCH_CXX11_ABI",
    "LIBTORCH_BYPASS_VERSION_CHECK",
];

/// Builds them against a libtorch for the CPU, and returns their paths and what they need of a system.
pub(super) fn build(libtorch: &Path) -> Result<(Vec<PathBuf>, Needs)> {
    let places = places(libtorch)?;
    let rust: Vec<String> = places
        .iter()
        .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
        .collect();
    let c: String = places
        .iter()
        .map(|(from, to)| format!(" -ffile-prefix-map={}={to}", from.display()))
        .collect();
    let mut cargo = process::cargo();
    cargo.args(["build", "--locked", "--profile", "dist", "--bins"]).args(WITHOUT_XTASK);
    cargo.env("LIBTORCH", libtorch).env("CROSSTUNE_RPATH", RUNPATH);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", rust.join("\x1f"));
    for name in ["CFLAGS", "CXXFLAGS"] {
        let mut flags = env::var_os(name).unwrap_or_else(OsString::new);
        flags.push(&c);
        cargo.env(name, flags);
    }
    for name in CHOICES {
        cargo.env_remove(name);
    }
    process::run(&mut cargo)?;

    let folder = paths::target().join("dist");
    let binaries = MODALITIES.map(|name| folder.join(format!("crosstune-{name}")));
    let mut all = Needs::default();
    for binary in &binaries {
        let shown = binary.display();
        let needs = Needs::of(binary)?;
        ensure!(needs.runpath.as_deref() == Some(RUNPATH), "{shown}: looks in {:?}", needs.runpath);
        let there = |name: &String| {
            SYSTEM.contains(&name.as_str()) || libtorch.join("lib").join(name).is_file()
        };
        let missing = needs.libraries.iter().find(|name| !there(name));
        ensure!(missing.is_none(), "{shown}: needs {missing:?}, which would be in no package");
        let bytes = fs::read(binary).with_context(|| shown.to_string())?;
        for (place, _) in &places {
            let place = place.display().to_string();
            let found = bytes.windows(place.len()).any(|part| part == place.as_bytes());
            ensure!(!found, "{shown}: names {place}, a place of this machine");
        }
        all = all.with(needs);
    }
    Ok((binaries.into(), all))
}

/// The folders that sources are compiled in, each with what it is called in messages. A later one goes
/// before an earlier.
fn places(libtorch: &Path) -> Result<[(PathBuf, &'static str); 3]> {
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo = cargo.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let cargo = cargo.context("neither CARGO_HOME nor HOME is set")?;
    let whole = |path: PathBuf| {
        path.canonicalize().with_context(|| format!("cannot find {}", path.display()))
    };
    Ok([
        (whole(cargo)?, "cargo"),
        (whole(libtorch.to_path_buf())?, "libtorch"),
        (whole(paths::root())?, "crosstune"),
    ])
}

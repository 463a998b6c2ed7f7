//! Building the binaries and the examples that tasks run, and where cargo puts them.
//!
//! All is built with one selection of packages and features, that of `cargo build --features cli`. With
//! another one, cargo gives the dependencies other features, and compiles them, and with them all crates
//! of the workspace, once more.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::paths;
use crate::process;

/// What tests cover and binaries are built with: they are behind the feature `cli`.
pub(crate) const EVERYTHING: [&str; 3] = ["--workspace", "--features", "cli"];

/// The same without xtask, which runs already and changes no feature of the others.
pub(crate) const WITHOUT_XTASK: [&str; 5] =
    ["--workspace", "--exclude", "xtask", "--features", "cli"];

/// How it is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Dev,
    Release,
}

/// Builds the binaries of all modalities.
pub(crate) fn binaries(profile: Profile) -> Result<()> {
    let mut cargo = process::cargo();
    cargo.arg("build").args(WITHOUT_XTASK).arg("--bins");
    if profile == Profile::Release {
        cargo.arg("--release");
    }
    process::run(&mut cargo)
}

/// The binary of a modality, for [`binaries`] to build before.
pub(crate) fn binary(profile: Profile, modality: &str) -> Command {
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => "release",
    };
    Command::new(paths::target().join(folder).join(format!("crosstune-{modality}")))
}

/// Builds the example of this name, of whichever crate has it, optimised. Its binary.
pub(crate) fn example(name: &str) -> Result<PathBuf> {
    let mut cargo = process::cargo();
    cargo.arg("build").args(WITHOUT_XTASK).args(["--release", "--example", name]);
    process::run(&mut cargo)?;
    Ok(paths::target().join("release/examples").join(name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Each package that a selection builds, with its features.
    fn packages(selection: &[&str]) -> Result<BTreeSet<String>> {
        let mut tree = process::cargo();
        tree.args(["tree", "--locked", "--edges", "normal,build", "--prefix", "none"]);
        let output = tree.args(["--no-dedupe", "--format", "{p} {f}"]).args(selection).output()?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
    }

    #[test]
    fn every_task_builds_with_the_features_of_a_plain_build() -> Result<()> {
        let plain = packages(&["--features", "cli"])?;
        assert!(plain.iter().any(|line| line.starts_with("crosstune-image ")), "{plain:?}");
        assert_eq!(packages(&EVERYTHING)?, plain);
        assert!(packages(&WITHOUT_XTASK)?.is_subset(&plain));
        // The comparison can fail: a package of its own has other features.
        assert!(!packages(&["--package", "crosstune-core"])?.is_subset(&plain));
        Ok(())
    }
}

//! Which crate may name which: dependencies point one way.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::fault::Fault;

/// For each crate, those of ours that its manifest may name, and those of others that it must not.
/// One that is still to come has its row already.
const DIRECTION: [(&str, &[&str], &[&str]); 9] = [
    ("crates/core", &[], &["clap", "anyhow"]),
    ("crates/image", &["crosstune-core", "crosstune-cli"], &[]),
    ("crates/audio", &["crosstune-core", "crosstune-cli"], &[]),
    ("crates/text", &["crosstune-core", "crosstune-cli"], &[]),
    ("crates/cli", &["crosstune-core", "crosstune-report", "crosstune-serve"], &[]),
    // Its tests open it.
    ("crates/report", &["crosstune-browser"], &["clap", "anyhow", "tch"]),
    ("crates/serve", &["crosstune-core"], &["clap", "anyhow"]),
    ("tests/browser", &[], &["clap", "anyhow", "tch"]),
    ("xtask", &["crosstune-report"], &["tch", "torch-sys"]),
];

/// The manifests below a workspace's root against the table.
pub(super) fn faults(root: &Path) -> Result<Vec<Fault>> {
    let mut faults = Vec::new();
    for (folder, ours, never) in DIRECTION {
        if !root.join(folder).is_dir() {
            continue;
        }
        let name = format!("{folder}/Cargo.toml");
        let text = fs::read_to_string(root.join(&name)).with_context(|| name.clone())?;
        let found = dependencies(&text, ours, never).into_iter();
        faults.extend(found.map(|(line, what)| Fault::new(&name, line, what)));
    }
    Ok(faults)
}

/// The direction of dependencies, in a manifest's text. A library with a binary takes what only
/// the binary needs as an option.
fn dependencies(text: &str, ours: &[&str], never: &[&str]) -> Vec<(usize, String)> {
    let mut faults = Vec::new();
    let mut inside = false;
    for (index, line) in text.lines().enumerate() {
        if let Some(section) = line.strip_prefix('[') {
            inside = section.contains("dependencies");
            continue;
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
        if !inside || name.is_empty() || name.starts_with('#') {
            continue;
        }
        if never.contains(&name) || (name.starts_with("crosstune-") && !ours.contains(&name)) {
            faults.push((index + 1, format!("this crate must not depend on `{name}`")));
        }
        // Whatever may use the binaries' crate has a binary itself.
        let binarys = ["anyhow", "clap", "crosstune-cli"].contains(&name);
        if ours.contains(&"crosstune-cli") && binarys && !line.contains("optional = true") {
            faults.push((index + 1, format!("`{name}` is for the binary: make it optional")));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_point_one_way() {
        let text = "[package]\nname = \"clap\"\n[dependencies]\nclap.workspace = true\n\
                    crosstune-cli = { workspace = true, optional = true }\n";
        let lines = |ours: &[&str], never: &[&str]| {
            let faults = dependencies(text, ours, never);
            faults.into_iter().map(|(line, _)| line).collect::<Vec<_>>()
        };
        assert_eq!(lines(&[], &["clap"]), [4, 5]);
        assert_eq!(lines(&["crosstune-cli"], &[]), [4]);
    }

    #[test]
    fn each_crate_has_its_row() -> Result<()> {
        let root = tempfile::tempdir()?;
        let write = |folder: &str, name: &str| -> Result<()> {
            let folder = root.path().join(folder);
            fs::create_dir_all(&folder)?;
            let text = format!("[dependencies]\n{name}.workspace = true\n");
            Ok(fs::write(folder.join("Cargo.toml"), text)?)
        };
        for (folder, right, wrong) in [
            ("crates/core", "tch", "crosstune-report"),
            ("crates/image", "crosstune-core", "crosstune-text"),
            ("crates/cli", "crosstune-serve", "crosstune-image"),
            ("crates/serve", "crosstune-core", "clap"),
            ("crates/serve", "tch", "crosstune-report"),
            ("xtask", "crosstune-report", "tch"),
        ] {
            write(folder, right)?;
            assert_eq!(faults(root.path())?, [], "{folder}: {right}");
            write(folder, wrong)?;
            assert_eq!(faults(root.path())?.len(), 1, "{folder}: {wrong}");
            write(folder, right)?;
        }
        Ok(())
    }
}

//! The task: reads the workspace, and asks every rule.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::fault::Fault;
use super::source::Crate;
use super::{circles, faces, lines, manifests, modalities, order, plates};
use crate::paths;

/// Folders that are not the workspace's own text; so are all whose names begin with a dot, but
/// for those of [`DOTTED`].
const SKIPPED: [&str; 2] = ["target", "runs"];

/// Folders that are looked into though their names begin with a dot.
const DOTTED: [&str; 3] = [".cargo", ".ci", ".github"];

/// Files that are looked through for paths, beside `.ci`'s scripts.
const TEXTS: [&str; 9] = ["rs", "toml", "md", "txt", "py", "sh", "yml", "yaml", "json"];

/// Runs the task: prints each fault, and fails if there is one.
pub(crate) fn run() -> Result<()> {
    let faults = faults(&paths::root())?;
    for fault in &faults {
        say!("{fault}");
    }
    ensure!(faults.is_empty(), "{} of the workspace's rules are broken, see above", faults.len());
    say!("tidy");
    Ok(())
}

/// Every breach of a rule in the workspace.
fn faults(root: &Path) -> Result<Vec<Fault>> {
    let mut paths = Vec::new();
    collect(root, &mut paths)?;
    paths.sort();
    // A file that is not text is nobody's source.
    let texts: Vec<(String, String)> = paths
        .iter()
        .filter_map(|path| {
            let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
            Some((name, fs::read_to_string(path).ok()?))
        })
        .collect();
    let mut faults = manifests::faults(root)?;
    for (name, text) in &texts {
        faults.extend(lines::faults(name, text));
    }
    let crates: BTreeSet<&str> =
        texts.iter().filter_map(|(name, _)| Some(name.split_once("/src/")?.0)).collect();
    for folder in crates.into_iter().filter(|name| *name == "xtask" || is_crate(name)) {
        let sources = texts.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let krate = Crate::new(folder, sources.filter(|(name, _)| name.ends_with(".rs")));
        for rule in
            [order::faults, faces::faults, plates::faults, circles::faults, modalities::faults]
        {
            faults.extend(rule(&krate));
        }
    }
    faults.sort();
    Ok(faults)
}

/// Whether a folder, from the workspace's root, is one of the crates.
fn is_crate(folder: &str) -> bool {
    folder.strip_prefix("crates/").is_some_and(|name| !name.contains('/'))
}

/// Collects the files of the workspace that are text of its own.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry.with_context(|| folder.display().to_string())?;
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let kind = entry.file_type().with_context(|| path.display().to_string())?;
        if kind.is_dir() {
            let dotted = name.starts_with('.') && !DOTTED.contains(&name.as_str());
            if !dotted && !SKIPPED.contains(&name.as_str()) {
                collect(&path, files)?;
            }
        } else if kind.is_file() {
            let extension = path.extension().map(|extension| extension.to_string_lossy());
            let text = extension.is_some_and(|extension| TEXTS.contains(&extension.as_ref()));
            if text || folder.file_name().is_some_and(|name| name == ".ci") {
                files.push(path);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_is_tidy() -> Result<()> {
        let faults: Vec<_> = faults(&paths::root())?.iter().map(Fault::to_string).collect();
        assert!(faults.is_empty(), "\n{}", faults.join("\n"));
        Ok(())
    }

    #[test]
    fn every_rule_is_asked() -> Result<()> {
        let root = tempfile::tempdir()?;
        let write = |name: &str, text: &str| -> Result<()> {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().context("a file")?)?;
            Ok(fs::write(path, text)?)
        };
        for name in ["crates/core", "xtask"] {
            write(&format!("{name}/Cargo.toml"), "")?;
        }
        let face = "//! Core.\npub mod error;\npub mod nn;\npub mod train;\n";
        write("crates/core/src/lib.rs", face)?;
        write("crates/core/src/error.rs", "//! Errors.\npub struct Error;\n")?;
        write("crates/core/src/train.rs", "//! Fit.\npub use crate::nn::Head;\n")?;
        write("crates/core/src/nn/mod.rs", "//! Net.\nmod head;\npub use head::Head;\n")?;
        write("crates/core/src/nn/head.rs", "//! Head.\nuse crate::error::Error;\n")?;
        assert_eq!(faults(root.path())?, []);
        for (name, text, told) in [
            ("crates/core/src/nn/head.rs", "//! A.\nuse crate::train::fit;\n", "must not import"),
            ("crates/core/src/nn/head.rs", "//! A.\nuse crate::Error;\n", "own face"),
            ("crates/core/src/nn/head.rs", "//! A.\nuse super::super::error::Error;\n", "root"),
            ("crates/core/src/nn/mod.rs", "//! A.\nmod head;\nstruct A;\n", "defines nothing"),
            ("crates/core/src/error.rs", "//! A.\nuse crate::nn::A;\n", "a circle"),
            ("crates/core/src/error.rs", "//! A.\nconst A: &str = \"text\";\n", "modality"),
            ("crates/core/src/error.rs", "fn a() {}\n", "header"),
            ("crates/core/Cargo.toml", "[dependencies]\nclap = \"4\"\n", "must not depend"),
        ] {
            let path = root.path().join(name);
            let before = fs::read_to_string(&path)?;
            fs::write(&path, text)?;
            let found: Vec<_> = faults(root.path())?.iter().map(Fault::to_string).collect();
            assert!(found.iter().any(|fault| fault.contains(told)), "{text}: {found:?}");
            fs::write(&path, before)?;
        }
        Ok(())
    }
}

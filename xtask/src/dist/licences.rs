//! The licences of what is inside: ours, those of the Rust crates, and those of libtorch.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use walkdir::WalkDir;

use super::tree::Tree;
use crate::{paths, process};

/// What names of files begin with, in small letters, that hold a licence or what goes with it.
const NAMES: [&str; 6] = ["licen", "copying", "copyright", "notice", "unlicense", "authors"];

/// Ours and those of the crates that are compiled in.
pub(super) fn of_binaries() -> Result<Tree> {
    let mut tree = Tree::default();
    for name in ["LICENSE-APACHE", "LICENSE-MIT"] {
        tree.file(name, &paths::root().join(name));
    }
    let crates = crates(&metadata()?)?;
    tree.text("RUST-CRATES.txt", text(&crates)?);
    Ok(tree)
}

/// Those of the packages that libtorch comes from, by package.
pub(super) fn of_libtorch(packages: &Path) -> Result<Tree> {
    let mut tree = Tree::default();
    for entry in fs::read_dir(packages).with_context(|| packages.display().to_string())? {
        let folder = entry.with_context(|| packages.display().to_string())?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(package) = name.strip_suffix(".dist-info") else { continue };
        let before = tree.0.len();
        if folder.join("licenses").is_dir() {
            tree.folder(package, &folder.join("licenses"))?;
        }
        for file in licence_files(&folder, 1)? {
            let name = file.file_name().unwrap_or_default().display();
            tree.file(format!("{package}/{name}"), &file);
        }
        ensure!(tree.0.len() > before, "{package}: no licence in {}", folder.display());
    }
    ensure!(!tree.0.is_empty(), "no packages in {}", packages.display());
    Ok(tree)
}

/// A crate that is compiled in.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Crate {
    name: String,
    version: String,
    /// As SPDX has it.
    licence: String,
    repository: String,
    folder: PathBuf,
}

/// What cargo knows of the workspace and all that it depends on.
fn metadata() -> Result<Value> {
    let mut cargo = process::cargo();
    cargo.args(["metadata", "--locked", "--format-version", "1", "--features", "cli"]);
    cargo.args(["--filter-platform", "x86_64-unknown-linux-gnu"]);
    let output = cargo.output().context("cannot start cargo")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The crates of others that the binaries are linked with: what they depend on, and so on, but not what
/// only builds or tests them.
fn crates(metadata: &Value) -> Result<BTreeSet<Crate>> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let id = |value: &Value| value["id"].as_str().unwrap_or_default().to_owned();
    let packages: BTreeMap<String, Value> =
        list(&metadata["packages"]).into_iter().map(|of| (id(&of), of)).collect();
    let nodes: BTreeMap<String, Value> =
        list(&metadata["resolve"]["nodes"]).into_iter().map(|of| (id(&of), of)).collect();
    let has_binary = |of: &Value| {
        list(&of["targets"]).iter().any(|target| {
            let name = target["name"].as_str().unwrap_or_default();
            target["kind"][0] == "bin" && name.starts_with("crosstune-")
        })
    };
    let mut left: Vec<String> =
        packages.iter().filter(|(_, of)| has_binary(of)).map(|(id, _)| id.clone()).collect();
    let mut seen: HashSet<String> = left.iter().cloned().collect();
    while let Some(id) = left.pop() {
        for dependency in list(&nodes.get(&id).context("a package is not resolved")?["deps"]) {
            let is_linked = list(&dependency["dep_kinds"]).iter().any(|of| of["kind"].is_null());
            let next = dependency["pkg"].as_str().unwrap_or_default().to_owned();
            // A crate of macros is run by the compiler, and so is all below it.
            let is_macro = packages.get(&next).is_some_and(|of| {
                list(&of["targets"]).iter().any(|t| t["kind"][0] == "proc-macro")
            });
            if is_linked && !is_macro && seen.insert(next.clone()) {
                left.push(next);
            }
        }
    }
    let others =
        packages.into_iter().filter(|(id, of)| seen.contains(id) && !of["source"].is_null());
    others
        .map(|(_, of)| {
            let text = |name: &str| of[name].as_str().unwrap_or_default().to_owned();
            let manifest = PathBuf::from(text("manifest_path"));
            let licence = match text("license") {
                none if none.is_empty() => "see its text".to_owned(),
                licence => licence,
            };
            Ok(Crate {
                name: text("name"),
                version: text("version"),
                licence,
                repository: text("repository"),
                folder: manifest.parent().context("a crate without a folder")?.to_path_buf(),
            })
        })
        .collect()
}

/// The list of crates, and each text of a licence once, with the crates that have it.
fn text(crates: &BTreeSet<Crate>) -> Result<String> {
    let mut text = String::from(
        "The crates that are compiled into the binaries, with their licences. The texts follow below.\n\n",
    );
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for one in crates {
        let Crate { name, version, licence, repository, folder } = one;
        text += &format!("{name} {version}: {licence} {repository}\n");
        for file in licence_files(folder, usize::MAX)? {
            let bytes = fs::read(&file).with_context(|| file.display().to_string())?;
            let licence = String::from_utf8_lossy(&bytes).trim_end().replace("\r\n", "\n");
            texts.entry(licence).or_default().push(format!("{name} {version}"));
        }
    }
    // In the order of the list.
    let mut texts: Vec<_> = texts.into_iter().map(|(text, of)| (of, text)).collect();
    texts.sort();
    for (of, licence) in texts {
        let line = "─".repeat(80);
        text += &format!("\n{line}\n{}\n\n{licence}\n", of.join(", "));
    }
    Ok(text)
}

/// The files in a folder, and in those of it as deep as that, that are named as licences are, sorted: crates
/// have the sources of others, in C, in folders of their own.
fn licence_files(folder: &Path, depth: usize) -> Result<Vec<PathBuf>> {
    let mut files = vec![];
    for entry in WalkDir::new(folder).max_depth(depth) {
        let entry = entry.with_context(|| folder.display().to_string())?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().to_lowercase();
        let is_code = path.extension().is_some_and(|of| of == "rs" || of == "c" || of == "h");
        let is_named = NAMES.iter().any(|begin| name.starts_with(begin));
        if is_named && !is_code && entry.file_type().is_file() {
            files.push(path.to_path_buf());
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_is_listed_and_what_only_builds_is_not() -> Result<()> {
        let crates = crates(&metadata()?)?;
        let has = |name: &str| crates.iter().any(|of| of.name == name);
        for name in ["tch", "torch-sys", "serde", "clap", "symphonia", "rayon"] {
            assert!(has(name), "{name}");
        }
        for name in ["cc", "serde_derive", "proptest", "crosstune-core"] {
            assert!(!has(name), "{name}");
        }
        let text = text(&crates)?;
        assert!(text.contains("Permission is hereby granted, free of charge"));
        assert!(text.contains("Mozilla Public License"));
        // What a crate has in C.
        for other in ["Jason Evans", "Meta Platforms", "Julian R Seward"] {
            assert!(text.contains(other), "{other}");
        }
        Ok(())
    }
}

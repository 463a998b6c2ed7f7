//! `cargo xtask tidy`: the workspace's own rules, which no compiler checks. Also a test of xtask.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::paths;

/// The most lines that a source file may have.
const MOST_LINES: usize = 400;

/// Folders that are not the workspace's own text; so are all whose names begin with a dot, but
/// for those of [`DOTTED`].
const SKIPPED: [&str; 2] = ["target", "runs"];

/// Folders that are looked into though their names begin with a dot.
const DOTTED: [&str; 3] = [".cargo", ".ci", ".github"];

/// Files that are looked through for paths, beside `.ci`'s scripts.
const TEXTS: [&str; 9] = ["rs", "toml", "md", "txt", "py", "sh", "yml", "yaml", "json"];

/// For each manifest, the crates of ours that it may name, and those of others that it must not.
const DIRECTION: [(&str, &[&str], &[&str]); 7] = [
    ("crates/core", &[], &["clap", "anyhow"]),
    ("crates/image", &["crosstune-core", "crosstune-cli"], &[]),
    ("crates/audio", &["crosstune-core", "crosstune-cli"], &[]),
    ("crates/text", &["crosstune-core", "crosstune-cli"], &[]),
    ("crates/cli", &["crosstune-core", "crosstune-report"], &[]),
    ("crates/report", &[], &["clap", "anyhow", "tch"]),
    ("xtask", &["crosstune-report"], &["tch", "torch-sys"]),
];

/// Runs the task: prints each fault, and fails if there is one.
pub(crate) fn run() -> Result<()> {
    let faults = faults(&paths::root())?;
    for fault in &faults {
        println!("{fault}");
    }
    ensure!(faults.is_empty(), "{} of the workspace's rules are broken, see above", faults.len());
    println!("tidy");
    Ok(())
}

/// Every breach of a rule in the workspace, each as `file:line: what is wrong`.
fn faults(root: &Path) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut files = Vec::new();
    collect(root, &mut files)?;
    files.sort();
    for path in files {
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        // A file that is not text is nobody's source.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let mut found = machine_paths(&text);
        if name.ends_with(".rs") {
            found.extend(shape(&text));
            if name.starts_with("crates/") && name.contains("/src/") && !name.ends_with("tests.rs")
            {
                found.extend(panics(&text));
                // A binary may, and the crate that only binaries use; a library says what failed.
                let binary = ["/main.rs", "/cli.rs"].iter().any(|file| name.ends_with(file));
                if !binary && !name.starts_with("crates/cli/") && !name.contains("/src/cli/") {
                    found.extend(mentions(&text, "anyhow::", "a library has errors of its own"));
                }
            }
        }
        faults.extend(found.into_iter().map(|(line, what)| format!("{name}:{line}: {what}")));
    }
    for (folder, ours, never) in DIRECTION {
        let name = format!("{folder}/Cargo.toml");
        let text = fs::read_to_string(root.join(&name)).with_context(|| name.clone())?;
        let found = dependencies(&text, ours, never);
        faults.extend(found.into_iter().map(|(line, what)| format!("{name}:{line}: {what}")));
    }
    Ok(faults)
}

/// A breach: the line and what is wrong there.
type Fault = (usize, String);

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

/// A source file says what it is, and is not long.
fn shape(text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    if !text.starts_with("//!") {
        faults.push((1, "begin with a `//!` header that says what the file is".to_owned()));
    }
    let lines = text.lines().count();
    if lines > MOST_LINES {
        faults.push((lines, format!("{lines} lines: {MOST_LINES} are the most, so split it")));
    }
    faults
}

/// Code outside tests returns its errors.
fn panics(text: &str) -> Vec<Fault> {
    let why = "return an error instead";
    [".unwrap()", "panic!(", "todo!("].iter().flat_map(|word| mentions(text, word, why)).collect()
}

/// The lines of code, comments and tests left out, that have `word`.
fn mentions(text: &str, word: &str, why: &str) -> Vec<Fault> {
    // A file's tests are its last module.
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    let lines = code.lines().enumerate();
    let lines =
        lines.filter(|(_, line)| !line.trim_start().starts_with("//") && line.contains(word));
    lines.map(|(index, _)| (index + 1, format!("`{word}`: {why}"))).collect()
}

/// No text names a place of one machine.
fn machine_paths(text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        for top in ["home", "root", "Users", "work", "mnt"] {
            // Only where a path begins: in the middle of one, or of an address, it is another thing.
            let here = format!("/{top}/");
            let starts = line.match_indices(&here).map(|(at, _)| line[..at].chars().next_back());
            let mut starts = starts.map(|before| {
                before
                    .is_none_or(|c| !c.is_alphanumeric() && !['.', '/', '}', '~', '*'].contains(&c))
            });
            if starts.any(|start| start) {
                faults.push((index + 1, format!("`{here}` is a path of one machine")));
            }
        }
    }
    faults
}

/// The direction of dependencies, in a manifest's text. A library with a binary takes what only
/// the binary needs as an option.
fn dependencies(text: &str, ours: &[&str], never: &[&str]) -> Vec<Fault> {
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
    fn the_workspace_is_tidy() -> Result<()> {
        let faults = faults(&paths::root())?;
        assert!(faults.is_empty(), "\n{}", faults.join("\n"));
        Ok(())
    }

    #[test]
    fn a_header_is_wanted_and_length_is_bounded() {
        assert!(shape("//! A file.\nfn main() {}\n").is_empty());
        assert_eq!(shape("fn main() {}\n").len(), 1);
        assert_eq!(shape(&"//! Long.\n".repeat(MOST_LINES + 1)).len(), 1);
    }

    #[test]
    fn panics_count_in_code_but_not_in_comments_or_tests() {
        let text = "a.unwrap();\n// b.unwrap()\n#[cfg(test)]\nmod tests {\nc.unwrap();\n}\n";
        let lines: Vec<usize> = panics(text).into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [1]);
    }

    #[test]
    fn a_path_of_one_machine_is_found_where_it_begins() {
        let home = format!("/{}/me/x", "home");
        assert_eq!(machine_paths(&format!("see {home}")).len(), 1);
        assert_eq!(machine_paths(&format!("open(\"{home}\")")).len(), 1);
        assert!(machine_paths(&format!("https://example.org{home}")).is_empty());
    }

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
}

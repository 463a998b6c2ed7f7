//! Completions and manual pages, as the binaries themselves write them.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::tree::Tree;
use crate::process;

/// Shells, each with the folder of `share` that it looks in, and what stands before and after a command's
/// name in the name of its file.
const SHELLS: [(&str, &str, &str, &str); 3] = [
    ("bash", "bash-completion/completions", "", ""),
    ("fish", "fish/vendor_completions.d", "", ".fish"),
    ("zsh", "zsh/site-functions", "_", ""),
];

/// What goes below `share`. Pages are written into `folder`, anew.
pub(super) fn share(binaries: &[PathBuf], libtorch: &Path, folder: &Path) -> Result<Tree> {
    let mut tree = Tree::default();
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    for binary in binaries {
        let name = binary.file_name().unwrap_or_default().display();
        let started = |words: &[&OsStr]| {
            let mut command = Command::new(binary);
            command.args(words).env("LD_LIBRARY_PATH", libtorch.join("lib"));
            command
        };
        process::run(&mut started(&["man".as_ref(), "--out".as_ref(), folder.as_ref()]))?;
        for (shell, place, before, after) in SHELLS {
            let output = started(&["completions".as_ref(), shell.as_ref()])
                .output()
                .with_context(|| format!("cannot start {}", binary.display()))?;
            ensure!(output.status.success(), "{name} has no completions for {shell}");
            let script =
                String::from_utf8(output.stdout).context("completions that are no text")?;
            tree.text(format!("{place}/{before}{name}{after}"), script);
        }
    }
    tree.folder("man/man1", folder)?;
    Ok(tree)
}

//! Where things are: the clone, its link to libtorch, and the cache that all clones share.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The root of this clone.
pub(crate) fn root() -> PathBuf {
    // Cargo's word of the moment first: clones that share a target folder share this binary.
    let xtask = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map_or_else(|| xtask.clone(), Path::to_path_buf)
}

/// The clone's link to libtorch, where `.cargo/config.toml` points torch-sys.
pub(crate) fn link() -> PathBuf {
    root().join(".libtorch")
}

/// The folder, ignored by git, that tasks keep their run folders in.
pub(crate) fn runs() -> PathBuf {
    root().join("runs")
}

/// The folder that cargo builds into.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The folder that keeps what was downloaded.
pub(crate) fn cache() -> Result<PathBuf> {
    cache_from(|name| env::var_os(name), cfg!(target_os = "macos"))
        .context("no place for the cache: set CROSSTUNE_CACHE, or HOME, to a folder's full path")
}

/// The rule of [`cache`], given the environment. Names of relative folders do not count: they
/// would mean another place from each folder.
fn cache_from(variable: impl Fn(&str) -> Option<OsString>, macos: bool) -> Option<PathBuf> {
    let folder = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    folder("CROSSTUNE_CACHE").or_else(|| Some(folder("XDG_CACHE_HOME")?.join("crosstune"))).or_else(
        || {
            let caches = if macos { "Library/Caches" } else { ".cache" };
            Some(folder("HOME")?.join(caches).join("crosstune"))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cache's place under an environment of the given variables.
    fn place(variables: &[(&str, &str)], macos: bool) -> Option<PathBuf> {
        let get = |name: &str| variables.iter().find(|(key, _)| *key == name);
        cache_from(|name| get(name).map(|(_, value)| OsString::from(value)), macos)
    }

    #[test]
    fn our_own_variable_comes_before_the_desktops_and_the_home() {
        let all = [("CROSSTUNE_CACHE", "/c"), ("XDG_CACHE_HOME", "/x"), ("HOME", "/h")];
        assert_eq!(place(&all, false), Some("/c".into()));
        assert_eq!(place(&all[1..], false), Some("/x/crosstune".into()));
        assert_eq!(place(&all[2..], false), Some("/h/.cache/crosstune".into()));
        assert_eq!(place(&all[2..], true), Some("/h/Library/Caches/crosstune".into()));
        assert_eq!(place(&[], false), None);
    }

    #[test]
    fn empty_and_relative_folders_do_not_count() {
        let odd = [("CROSSTUNE_CACHE", ""), ("XDG_CACHE_HOME", "here"), ("HOME", "/h")];
        assert_eq!(place(&odd, false), Some("/h/.cache/crosstune".into()));
    }
}

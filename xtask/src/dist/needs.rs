//! What a binary needs of the system that it is to run on, as `objdump` tells.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// Versions of libstdc++'s symbols, and the first glibc whose distributions all have them: the rule by
/// which wheels are named (PEP 600, as auditwheel's policies have it).
const LIBSTDCXX: [(u32, u32); 7] =
    [(19, 17), (22, 24), (24, 28), (28, 31), (29, 34), (30, 35), (33, 39)];

/// What a binary needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// The libraries, by name.
    pub(super) libraries: BTreeSet<String>,
    /// Where it looks for them first.
    pub(super) runpath: Option<String>,
    /// The glibc: 34 of 2.34.
    pub(super) glibc: u32,
    /// The version of libstdc++'s symbols: 30 of `GLIBCXX_3.4.30`.
    pub(super) libstdcxx: u32,
}

impl Needs {
    /// Asks `objdump`, which comes with every linker.
    pub(super) fn of(file: &Path) -> Result<Self> {
        let mut objdump = Command::new("objdump");
        let output = objdump.arg("-p").arg(file).output().context("cannot start `objdump`")?;
        let shown = file.display();
        ensure!(output.status.success(), "objdump cannot read {shown}");
        Ok(Self::parse(&String::from_utf8_lossy(&output.stdout)))
    }

    /// Reads what `objdump -p` prints.
    fn parse(text: &str) -> Self {
        let mut needs = Self::default();
        for line in text.lines() {
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["NEEDED", name] => needs.libraries.extend([name.to_owned()]),
                ["RUNPATH" | "RPATH", path] => needs.runpath = Some(path.to_owned()),
                [_, _, _, version] => {
                    let of = |prefix| version.strip_prefix(prefix)?.split('.').next()?.parse().ok();
                    needs.glibc = needs.glibc.max(of("GLIBC_2.").unwrap_or(0));
                    needs.libstdcxx = needs.libstdcxx.max(of("GLIBCXX_3.4.").unwrap_or(0));
                }
                _ => {}
            }
        }
        needs
    }

    /// What both need.
    pub(super) fn with(mut self, other: Self) -> Self {
        self.libraries.extend(other.libraries);
        self.glibc = self.glibc.max(other.glibc);
        self.libstdcxx = self.libstdcxx.max(other.libstdcxx);
        self
    }

    /// The first glibc of whose distributions all can run it: 35 of 2.35.
    pub(super) fn first_glibc(&self) -> Result<u32> {
        match LIBSTDCXX.iter().find(|(version, _)| *version >= self.libstdcxx) {
            Some((_, glibc)) => Ok(self.glibc.max(*glibc)),
            None => bail!(
                "this compiler's libstdc++ (GLIBCXX_3.4.{}) is newer than any in the table of needs.rs",
                self.libstdcxx
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cut from what binutils 2.40 prints.
    const PRINTED: &str = "
crosstune-text:     file format elf64-x86-64

Dynamic Section:
  NEEDED               libtorch_cpu.so
  NEEDED               libc.so.6
  RUNPATH              $ORIGIN/../lib:$ORIGIN/../../torch/lib
  VERNEEDNUM           0x0000000000000002

Version References:
  required from libstdc++.so.6:
    0x08922974 0x00 12 GLIBCXX_3.4
    0x0297f864 0x00 10 GLIBCXX_3.4.29
  required from libc.so.6:
    0x09691a75 0x00 08 GLIBC_2.2.5
    0x069691b4 0x00 05 GLIBC_2.34
    0x06969183 0x00 06 GLIBC_2.3
";

    #[test]
    fn libraries_and_versions_are_read() -> Result<()> {
        let needs = Needs::parse(PRINTED);
        let libraries = ["libc.so.6", "libtorch_cpu.so"].map(str::to_owned);
        assert_eq!(
            needs,
            Needs {
                libraries: libraries.into(),
                runpath: Some("$ORIGIN/../lib:$ORIGIN/../../torch/lib".into()),
                glibc: 34,
                libstdcxx: 29,
            }
        );
        assert_eq!(needs.first_glibc()?, 34);
        let newer = needs.with(Needs { libstdcxx: 30, ..Needs::default() });
        assert_eq!(newer.first_glibc()?, 35);
        let unknown = newer.with(Needs { libstdcxx: 99, ..Needs::default() });
        assert!(unknown.first_glibc().is_err());
        Ok(())
    }
}

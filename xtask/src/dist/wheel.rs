//! The wheel: the binaries as commands of a Python environment, whose `torch` brings libtorch.
//!
//! A wheel is a zip archive of the files to install, with a folder of metadata:
//! <https://packaging.python.org/en/latest/specifications/binary-distribution-format/>.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::binaries::MODALITIES;
use super::tree::{Tree, whole};
use crate::libtorch::VERSION as TORCH;

/// The package that the commands are in.
const PACKAGE: &str = "crosstune";

/// What a wheel is of.
#[derive(Debug)]
pub(super) struct Wheel<'a> {
    pub(super) version: &'a str,
    /// The oldest glibc that it runs with: 35 of 2.35.
    pub(super) glibc: u32,
    /// The binaries, by name.
    pub(super) binaries: &'a [PathBuf],
    /// What goes to `share` of the environment.
    pub(super) share: &'a Tree,
    /// The licences of what is inside.
    pub(super) licences: &'a Tree,
}

impl Wheel<'_> {
    /// What installers read from a wheel's name: which Pythons and which systems it is for.
    fn tag(&self) -> String {
        format!("py3-none-manylinux_2_{}_x86_64", self.glibc)
    }

    /// The name of the file.
    pub(super) fn file_name(&self) -> String {
        format!("{PACKAGE}-{}-{}.whl", self.version, self.tag())
    }

    /// Writes it. The same files make the same bytes.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let tree = self.tree();
        let info = self.info();
        whole(path, |out| {
            let mut zip = ZipWriter::new(out);
            let mut record = String::new();
            for (name, entry) in &tree.0 {
                zip.start_file(name, options(entry.mode()))?;
                let mut hashed = Hashed { out: &mut zip, hash: Sha256::new(), bytes: 0 };
                io::copy(&mut entry.open()?, &mut hashed).context(name.clone())?;
                let Hashed { hash, bytes, .. } = hashed;
                let hash = URL_SAFE_NO_PAD.encode(hash.finalize());
                record += &format!("{name},sha256={hash},{bytes}\n");
            }
            // The list of files stands last, and has no hash of itself.
            let name = format!("{info}/RECORD");
            record += &format!("{name},,\n");
            zip.start_file(name, options(0o644))?;
            zip.write_all(record.as_bytes())?;
            zip.finish()?;
            Ok(())
        })
    }

    fn info(&self) -> String {
        format!("{PACKAGE}-{}.dist-info", self.version)
    }

    /// All its files but for the list of them.
    fn tree(&self) -> Tree {
        let (info, mut tree) = (self.info(), Tree::default());
        let launcher = include_str!("launcher.py").replace("{torch}", TORCH);
        tree.text(format!("{PACKAGE}/__init__.py"), launcher);
        for binary in self.binaries {
            let name = binary.file_name().unwrap_or_default().display();
            tree.program(format!("{PACKAGE}/bin/{name}"), binary);
        }
        tree.all(&format!("{PACKAGE}-{}.data/data/share/", self.version), self.share);
        tree.all(&format!("{info}/licenses/"), self.licences);
        tree.text(format!("{info}/METADATA"), self.metadata());
        let tag = self.tag();
        let wheel = "Wheel-Version: 1.0\nGenerator: cargo xtask dist\nRoot-Is-Purelib: false\n";
        tree.text(format!("{info}/WHEEL"), format!("{wheel}Tag: {tag}\n"));
        let commands = MODALITIES.map(|name| format!("crosstune-{name} = {PACKAGE}:{name}\n"));
        let commands = format!("[console_scripts]\n{}", commands.concat());
        tree.text(format!("{info}/entry_points.txt"), commands);
        tree
    }

    /// The core metadata. Any build of this torch does, for the CPU or for GPUs: of `2.11.0+cpu`, say, what
    /// follows the `+` does not count in a comparison with `2.11.0` (PEP 440).
    fn metadata(&self) -> String {
        let licences: String =
            self.licences.0.keys().map(|name| format!("License-File: {name}\n")).collect();
        format!(
            "Metadata-Version: 2.4\nName: {PACKAGE}\nVersion: {}\n\
             Summary: Transfer learning across modalities: pictures, recordings and texts\n\
             License-Expression: MIT OR Apache-2.0\n{licences}\
             Classifier: Environment :: Console\n\
             Classifier: Operating System :: POSIX :: Linux\n\
             Classifier: Topic :: Scientific/Engineering :: Artificial Intelligence\n\
             Requires-Python: >=3.10\n\
             Requires-Dist: torch=={TORCH}\n\
             Description-Content-Type: text/markdown\n\n{DESCRIPTION}",
            self.version
        )
    }
}

const DESCRIPTION: &str = "\
# Crosstune

Take a model that was trained on one kind of data, keep what it learnt, and adapt it to a task of the same
kind or of another: pictures, recordings, texts.

This package has three commands, `crosstune-image`, `crosstune-audio` and `crosstune-text`. They are compiled
from Rust, and use the libraries of the installed `torch`, with its GPUs if it has them; Python only starts
them. `crosstune-text --help` lists what they do, and `man crosstune-text` has it in full.
";

/// How a file is packed: no time, so that the same files make the same bytes.
fn options(mode: u32) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(mode)
}

/// Counts and hashes what goes through.
struct Hashed<W> {
    out: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.out.write(buffer)?;
        self.hash.update(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Read;

    use zip::ZipArchive;

    use super::*;

    #[test]
    fn a_wheel_is_what_its_record_says_and_twice_it_is_the_same() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let binaries = MODALITIES.map(|name| folder.path().join(format!("crosstune-{name}")));
        for binary in &binaries {
            fs::write(binary, binary.display().to_string())?;
        }
        let (mut share, mut licences) = (Tree::default(), Tree::default());
        share.text("man/man1/crosstune-text.1", ".TH\n");
        licences.text("LICENSE-MIT", "MIT\n");
        let wheel = Wheel {
            version: "1.2.3",
            glibc: 35,
            binaries: &binaries,
            share: &share,
            licences: &licences,
        };
        assert_eq!(wheel.file_name(), "crosstune-1.2.3-py3-none-manylinux_2_35_x86_64.whl");
        let paths = ["a.whl", "b.whl"].map(|name| folder.path().join(name));
        for path in &paths {
            wheel.write(path)?;
        }
        assert_eq!(fs::read(&paths[0])?, fs::read(&paths[1])?);

        let mut archive = ZipArchive::new(File::open(&paths[0])?)?;
        let names: Vec<String> = archive.file_names().map(str::to_owned).collect();
        let mut read = |name: &str| -> Result<(Vec<u8>, Option<u32>)> {
            let mut entry = archive.by_name(name)?;
            let (mut bytes, mode) = (vec![], entry.unix_mode());
            entry.read_to_end(&mut bytes)?;
            Ok((bytes, mode))
        };
        let (record, _) = read("crosstune-1.2.3.dist-info/RECORD")?;
        let record = String::from_utf8(record)?;
        assert_eq!(record.lines().count(), names.len());
        for line in record.lines() {
            let [name, hash, size] = line.split(',').collect::<Vec<_>>()[..] else {
                anyhow::bail!("{line}")
            };
            let (bytes, mode) = read(name)?;
            let is_program = name.starts_with("crosstune/bin/");
            assert_eq!(mode.map(|mode| mode & 0o111 != 0), Some(is_program), "{name}");
            if !name.ends_with("/RECORD") {
                let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(&bytes));
                assert_eq!((hash, size), (&*format!("sha256={digest}"), &*bytes.len().to_string()));
            }
        }
        let (metadata, _) = read("crosstune-1.2.3.dist-info/METADATA")?;
        let metadata = String::from_utf8(metadata)?;
        assert!(metadata.contains("\nRequires-Dist: torch==2.11.0\n"), "{metadata}");
        assert!(metadata.contains("\nLicense-File: LICENSE-MIT\n"), "{metadata}");
        let (launcher, _) = read("crosstune/__init__.py")?;
        assert!(String::from_utf8(launcher)?.contains("TORCH = \"2.11.0\""));
        assert!(
            names.contains(&"crosstune-1.2.3.data/data/share/man/man1/crosstune-text.1".into())
        );
        Ok(())
    }
}

//! The task: builds, collects, packs and, if asked, tries.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::binaries;
use super::licences;
use super::needs::Needs;
use super::shell;
use super::tarball;
use super::tree::Tree;
use super::trial;
use super::wheel::Wheel;
use crate::libtorch::VERSION as TORCH;
use crate::{paths, setup};

/// How the task is called.
const USAGE: &str = "cargo xtask dist [--out FOLDER] [--try]";

/// The version of what is packed.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The libraries of libtorch that the binaries need, and that these need.
const LIBRARIES: [&str; 5] =
    ["libc10.so", "libcudart.so.13", "libcupti.so.13", "libgomp.so.1", "libtorch_cpu.so"];

/// Runs the task: stdout has the paths of the archive and of the wheel.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let Options { out, is_tried } = parse(args)?;
    ensure!(
        cfg!(all(target_os = "linux", target_arch = "x86_64")),
        "packages are made on Linux on x86-64, for the same"
    );
    let libtorch = setup::cpu()?;
    let packages = setup::packages(&libtorch)?;
    let (binaries, needs) = binaries::build(&libtorch)?;
    let pages = paths::target().join("dist").join("man");
    let share = shell::share(&binaries, &libtorch, &pages)?;
    let ours = licences::of_binaries()?;

    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let wheel = Wheel {
        version: VERSION,
        glibc: needs.first_glibc()?,
        binaries: &binaries,
        share: &share,
        licences: &ours,
    };
    let wheel_path = out.join(wheel.file_name());
    wheel.write(&wheel_path)?;

    let top = format!("crosstune-{VERSION}-x86_64-linux");
    let archive_path = out.join(format!("{top}.tar.gz"));
    let theirs = licences::of_libtorch(&packages)?;
    let tree = archive(&top, &binaries, &libtorch, needs, [&share, &ours, &theirs])?;
    tarball::write(&tree, &archive_path)?;
    for path in [&archive_path, &wheel_path] {
        let bytes = fs::metadata(path).with_context(|| path.display().to_string())?.len();
        note!("{}: {:.1} MB", path.display(), bytes as f64 / 1e6);
    }
    if is_tried {
        trial::run(&archive_path, &top, &wheel_path, &libtorch, &packages)?;
    }
    say!("{}", archive_path.display());
    say!("{}", wheel_path.display());
    Ok(())
}

/// The files of the archive.
fn archive(
    top: &str,
    binaries: &[PathBuf],
    libtorch: &Path,
    mut needs: Needs,
    [share, ours, theirs]: [&Tree; 3],
) -> Result<Tree> {
    let mut tree = Tree::default();
    for binary in binaries {
        let name = binary.file_name().unwrap_or_default().display();
        tree.program(format!("{top}/bin/{name}"), binary);
    }
    for name in LIBRARIES {
        let path = libtorch.join("lib").join(name);
        needs = needs.with(Needs::of(&path)?);
        tree.file(format!("{top}/lib/{name}"), &path);
    }
    tree.all(&format!("{top}/share/"), share);
    tree.all(&format!("{top}/licenses/"), ours);
    tree.all(&format!("{top}/licenses/"), theirs);
    tree.text(format!("{top}/README.md"), readme(needs.first_glibc()?));
    Ok(tree)
}

/// What the archive says of itself.
fn readme(glibc: u32) -> String {
    format!(
        "# Crosstune {VERSION}\n\n\
         The commands are in `bin`, and run from there:\n\n\
         ```sh\nbin/crosstune-text --help\n```\n\n\
         They need Linux on x86-64, glibc 2.{glibc} or later and libstdc++, and no Python. Put `bin` on your\n\
         `PATH`, or link to what is in it; `lib` must stay beside `bin`. It is libtorch {TORCH}, for the CPU.\n\n\
         `share` has manual pages (`man -M share/man crosstune-text`) and completions for bash, fish and\n\
         zsh; `licenses` has the licences of all that is here.\n"
    )
}

/// What to do.
#[derive(Debug, PartialEq)]
struct Options {
    out: PathBuf,
    /// Whether a small training is run with each.
    is_tried: bool,
}

fn parse(args: &[String]) -> Result<Options> {
    let (mut out, mut is_tried) = (None, false);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--out" => out = Some(args.next().with_context(|| format!("--out what? {USAGE}"))?),
            "--try" => is_tried = true,
            _ => bail!("there is no option `{arg}`: {USAGE}"),
        }
    }
    Ok(Options {
        out: out.map_or_else(|| paths::target().join("packages"), PathBuf::from),
        is_tried,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_others_refused() -> Result<()> {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let plain = Options { out: paths::target().join("packages"), is_tried: false };
        assert_eq!(parse(&[])?, plain);
        let all = Options { out: "there".into(), is_tried: true };
        assert_eq!(parse(&words("--try --out there"))?, all);
        assert!(parse(&words("--out")).is_err());
        assert!(parse(&words("--wheel")).is_err());
        Ok(())
    }
}

//! `cargo xtask doctor`: what is there, what is missing, and what to do about it.

use std::env;
use std::fs;
use std::path::Path;
use std::thread;

use anyhow::{Result, ensure};

use crate::libtorch::{Libtorch, VERSION};
use crate::paths;
use crate::pip;
use crate::process::first_line;

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// There, or merely told.
    Good,
    /// Not there, and needed only by some.
    Absent,
    /// Not there, and nothing builds without it.
    Missing,
}

/// A line of the report.
type Line = (State, &'static str, String);

/// Runs the task. It fails if something that every build needs is missing.
pub(crate) fn run() -> Result<()> {
    let mut lines = vec![rust(), compiler(), make(), tch()];
    let libtorch = Libtorch::find();
    lines.push(libtorch_line(&libtorch));
    lines.extend(processor());
    lines.push(threads());
    lines.push(cuda(libtorch.ok().flatten().is_some_and(|libtorch| libtorch.cuda)));
    lines.push(python());
    lines.extend(cache());
    for (state, name, text) in &lines {
        let mark = match state {
            State::Good => "ok",
            State::Absent => "--",
            State::Missing => "!!",
        };
        say!("{mark} {name:<9} {text}");
    }
    let missing = lines.iter().filter(|(state, ..)| *state == State::Missing);
    let missing: Vec<_> = missing.map(|(_, name, _)| *name).collect();
    ensure!(missing.is_empty(), "not ready yet: {} (see above)", missing.join(", "));
    Ok(())
}

/// The Rust that builds this.
fn rust() -> Line {
    let version = |program: &str, name: &str| {
        let program = env::var(program).unwrap_or_else(|_| name.to_owned());
        first_line(&[&program, "--version"]).unwrap_or_else(|| format!("{name} missing"))
    };
    (State::Good, "rust", format!("{}, {}", version("RUSTC", "rustc"), version("CARGO", "cargo")))
}

/// The C++ compiler, with which torch-sys builds its bindings.
fn compiler() -> Line {
    let program = env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    match first_line(&[&program, "--version"]) {
        Some(version) => (State::Good, "c++", version),
        None => {
            let text = format!("`{program}` is missing: `apt install g++`, or the like");
            (State::Missing, "c++", text)
        }
    }
}

/// What builds jemalloc.
fn make() -> Line {
    match first_line(&["make", "--version"]) {
        Some(version) => (State::Good, "make", version),
        None => (State::Missing, "make", "`make` is missing: `apt install make`".to_owned()),
    }
}

/// The tch that Cargo.lock has chosen.
fn tch() -> Line {
    let lock = fs::read_to_string(paths::root().join("Cargo.lock")).unwrap_or_default();
    let version = locked(&lock, "tch").unwrap_or("of unknown version");
    (State::Good, "tch", format!("{version}, for libtorch {VERSION}"))
}

/// The version of a package in the text of a Cargo.lock.
fn locked<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    lines.next()?.strip_prefix("version = ").map(|version| version.trim_matches('"'))
}

/// The libtorch that a build would use.
fn libtorch_line(found: &Result<Option<Libtorch>>) -> Line {
    let (state, text) = match found {
        Ok(Some(found)) => {
            let home = found.home.canonicalize().unwrap_or_else(|_| found.home.clone());
            let text = format!("{found}, {}: {}", found.source, home.display());
            match found.fits() {
                true => (State::Good, text),
                false => (State::Missing, format!("{text}, but tch needs {VERSION}")),
            }
        }
        Ok(None) => (State::Missing, "not set up: run `cargo xtask setup`".to_owned()),
        Err(error) => (State::Missing, error.to_string()),
    };
    (state, "libtorch", text)
}

/// The processor, and which of the features that libtorch makes use of it has.
fn processor() -> Vec<Line> {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = field(&info, "model name").map(str::to_owned);
    let model = model.or_else(|| first_line(&["sysctl", "-n", "machdep.cpu.brand_string"]));
    let model = model.unwrap_or_else(|| format!("of unknown model, {}", env::consts::ARCH));
    let mut lines = vec![(State::Good, "cpu", model)];
    if let Some(flags) = field(&info, "flags") {
        let wanted = ["avx2", "avx512f", "avx512_bf16", "amx_bf16"];
        let (there, absent): (Vec<&str>, Vec<_>) =
            wanted.into_iter().partition(|name| flags.split_whitespace().any(|flag| flag == *name));
        let absent = absent.iter().map(|name| format!(" no {name}")).collect::<String>();
        lines.push((State::Good, "", format!("{}{absent}", there.join(" "))));
    }
    lines
}

/// The value of the first line with this name in the text of `/proc/cpuinfo`.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let mut pairs = info.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

/// How many threads the work may use.
fn threads() -> Line {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let limit = |name| match env::var(name) {
        Ok(value) => format!("{name}={value}"),
        Err(_) => format!("{name} unset"),
    };
    let (rayon, omp) = (limit("RAYON_NUM_THREADS"), limit("OMP_NUM_THREADS"));
    (State::Good, "threads", format!("{cores} cores to use, {rayon}, {omp}"))
}

/// Whether there is a GPU and a libtorch that can use it.
fn cuda(in_libtorch: bool) -> Line {
    let query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"];
    let (state, text) = match (first_line(&query), in_libtorch) {
        (Some(gpu), true) => (State::Good, gpu),
        (Some(gpu), false) => {
            let what = "but libtorch is the CPU's: run `cargo xtask setup --cuda` to use it";
            (State::Absent, format!("{gpu}, {what}"))
        }
        (None, true) => {
            (State::Absent, "libtorch has CUDA, but `nvidia-smi` shows no GPU".to_owned())
        }
        (None, false) => (State::Absent, "no NVIDIA GPU, and a libtorch for the CPU".to_owned()),
    };
    (state, "cuda", text)
}

/// Python's pip, which makes the downloads.
fn python() -> Line {
    match pip::find() {
        Some((call, version)) => {
            // `pip 23.2 from FOLDER (python 3.11)`: the folder says nothing here.
            let words: Vec<&str> = version.split_whitespace().collect();
            let short = words.get(..2).map_or_else(|| version.clone(), |words| words.join(" "));
            let python =
                version.rsplit_once('(').map_or("", |(_, rest)| rest.trim_end_matches(')'));
            (State::Good, "pip", format!("{short}, {python}, as `{}`", call.join(" ")))
        }
        None => (State::Absent, "pip", pip::MISSING.to_owned()),
    }
}

/// The cache and the sizes of what is in it.
fn cache() -> Vec<Line> {
    let cache = match paths::cache() {
        Ok(cache) => cache,
        Err(error) => return vec![(State::Missing, "cache", error.to_string())],
    };
    let mut lines = vec![(State::Good, "cache", cache.display().to_string())];
    let mut folders: Vec<_> = fs::read_dir(&cache).into_iter().flatten().flatten().collect();
    folders.retain(|entry| entry.path().is_dir());
    folders.sort_by_key(fs::DirEntry::file_name);
    for folder in folders {
        let megabytes = size(&folder.path()) / 1_000_000;
        let name = folder.file_name();
        lines.push((State::Good, "", format!("{}: {megabytes} MB", name.display())));
    }
    lines
}

/// The bytes in a folder. What cannot be read counts as nothing.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_locked_version() {
        let lock = "[[package]]\nname = \"tch-a\"\nversion = \"1.0.0\"\n\n[[package]]\n\
                    name = \"tch\"\nversion = \"0.24.0\"\nsource = \"x\"\n";
        assert_eq!(locked(lock, "tch"), Some("0.24.0"));
        assert_eq!(locked(lock, "none"), None);
    }

    #[test]
    fn finds_a_field_of_the_processor() {
        let info = "processor\t: 0\nmodel name\t: A CPU\nflags\t\t: fpu avx2\n";
        assert_eq!(field(info, "model name"), Some("A CPU"));
        assert_eq!(field(info, "flags"), Some("fpu avx2"));
        assert_eq!(field(info, "model"), None);
    }

    #[test]
    fn a_missing_libtorch_is_missing_and_says_what_to_do() {
        let (state, _, text) = libtorch_line(&Ok(None));
        assert_eq!((state, text.contains("cargo xtask setup")), (State::Missing, true));
    }
}

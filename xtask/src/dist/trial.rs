//! The packages tried, as a person would who has just got them: unpacked, installed, and a model trained
//! with each. A home that is empty, and nothing in the environment.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use serde_json::Value;

use crate::{minilm, paths, process};

/// Tries both. Their results must be the same: it is the same program on the same libtorch.
pub(super) fn run(
    archive: &Path,
    top: &str,
    wheel: &Path,
    libtorch: &Path,
    packages: &Path,
) -> Result<()> {
    let weights = minilm::fetch()?;
    let folder = paths::target().join("dist").join("trial");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    fs::create_dir_all(folder.join("home")).with_context(|| folder.display().to_string())?;
    let unpacked = unpacked(archive, top, &folder)?;
    let installed = installed(wheel, libtorch, packages, &folder)?;
    let mut results = vec![];
    for (name, command) in [("archive", unpacked), ("wheel", installed)] {
        let began = Instant::now();
        let mut help = started(&command, &folder);
        let output = help.arg("--help").output().context("cannot start what was installed")?;
        ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        note!("{name}: --help in {} ms", began.elapsed().as_millis());
        results.push(train(&command, &weights, &folder, name)?);
    }
    ensure!(
        results[0] == results[1],
        "the archive's training came to {}, the wheel's to {}",
        results[0],
        results[1]
    );
    fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())
}

/// A command in an environment with nothing in it but a home.
fn started(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", folder.join("home")).env("PATH", "/usr/bin:/bin");
    command
}

/// Unpacks the archive, and returns a link to its command, from elsewhere.
fn unpacked(archive: &Path, top: &str, folder: &Path) -> Result<PathBuf> {
    let file = File::open(archive).with_context(|| archive.display().to_string())?;
    tar::Archive::new(GzDecoder::new(file)).unpack(folder).context("cannot unpack the archive")?;
    let link = folder.join("linked");
    std::os::unix::fs::symlink(folder.join(top).join("bin/crosstune-text"), &link)?;
    Ok(link)
}

/// Installs the wheel by pip into a fresh virtual environment, whose torch is what pip knows of it and
/// its libraries for the CPU, and returns the command there.
fn installed(wheel: &Path, libtorch: &Path, packages: &Path, folder: &Path) -> Result<PathBuf> {
    let home = folder.join("python");
    let bin = home.join("bin");
    let mut venv = Command::new("python3");
    process::run(venv.args(["-m", "venv", "--without-pip"]).arg(&home))?;
    let mut ask = Command::new(bin.join("python"));
    ask.args(["-c", "import sysconfig; print(sysconfig.get_path('platlib'))"]);
    let output = ask.output().context("cannot start the environment's Python")?;
    let site = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    process::run(Command::new("cp").arg("-r").arg(packages.join(".")).arg(&site))?;
    let lib = site.join("torch").join("lib");
    std::os::unix::fs::symlink(libtorch.join("lib"), &lib)
        .with_context(|| lib.display().to_string())?;
    let (call, _) = crate::pip::find().context(crate::pip::MISSING)?;
    let mut pip = Command::new(call[0]);
    pip.args(&call[1..]).arg("--python").arg(bin.join("python"));
    // What torch itself depends on stays away: nothing of Python in it is used.
    pip.args(["install", "--quiet", "--no-index", "--no-deps", "--disable-pip-version-check"]);
    process::run(pip.arg(wheel).env("PIP_REQUIRE_VIRTUALENV", "0"))?;
    Ok(bin.join("crosstune-text"))
}

/// Trains the smallest model of the demo for an epoch, and returns how it did in the test.
fn train(program: &Path, weights: &Path, folder: &Path, name: &str) -> Result<Value> {
    let out = folder.join(name);
    let samples = paths::root().join("crates/text/samples/digits");
    let mut command = started(program, folder);
    process::wait_briefly(&mut command);
    command.arg("train").arg("--weights").arg(weights).arg("--data").arg(samples);
    command.args(["--freeze", "trunk-but-norms", "--validation", "0", "--epochs", "1"]);
    process::run(command.arg("--out").arg(&out))?;
    let path = out.join("result.json");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let result: Value = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
    let test = result["test"].clone();
    ensure!(test["loss"].is_f64(), "{}: no loss in the test", path.display());
    Ok(test)
}

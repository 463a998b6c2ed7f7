//! Running the binaries on the samples that ship with the crates.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

/// What a command came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The command's stdout; fails the test if the command failed.
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, 0, "{}", self.stderr);
        self.stdout
    }

    /// The one line that an error is, without `error: `; fails the test if it was anything else.
    pub(crate) fn error(self, code: i32) -> String {
        assert_eq!(self.code, code, "{}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        let last = self.stderr.trim_end().split_once("error: ").map(|(_, e)| e.to_string());
        last.unwrap_or_else(|| panic!("no error in {:?}", self.stderr))
    }
}

/// The words of a command line, strings and paths as they come.
macro_rules! words {
    ($($word:expr),* $(,)?) => { [$(std::ffi::OsString::from(&$word)),*] };
}
pub(crate) use words;

/// `crosstune-MODALITY WORDS…`.
pub(crate) fn crosstune(modality: &str, words: &[OsString]) -> Ran {
    ran(command(modality).args(words))
}

/// `crosstune-MODALITY`, without words yet.
pub(crate) fn command(modality: &str) -> Command {
    let mut command = Command::new(binary(modality));
    // Tests run side by side; two threads each would only get in each other's way.
    command.env("OMP_NUM_THREADS", "1");
    command
}

/// Runs a command to its end.
pub(crate) fn ran(command: &mut Command) -> Ran {
    command.output().expect("the binary runs").into()
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// A short training on the modality's own samples with a tiny random BERT; the run folder.
pub(crate) fn train(modality: &str, out: &Path, more: &[&str]) -> Ran {
    train_on(&tiny_bert(), modality, out, more)
}

/// The same with another pretrained model.
pub(crate) fn train_on(weights: &Path, modality: &str, out: &Path, more: &[&str]) -> Ran {
    ran(&mut training(weights, modality, out, more))
}

/// The same, not run yet.
pub(crate) fn training(weights: &Path, modality: &str, out: &Path, more: &[&str]) -> Command {
    let data = root().join(format!("crates/{modality}/samples/digits"));
    let mut words = words!["train", "--weights", weights, "--data", data, "--out", out].to_vec();
    if modality == "audio" {
        words.extend(words!["--label-pattern", r"^(?<label>\d)_"]);
    }
    let mut command = command(modality);
    command.args(words).args(more);
    command
}

/// The names in a folder, hidden ones included.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// A BERT of width 32 with random weights, as transformers saves it.
pub(crate) fn tiny_bert() -> PathBuf {
    root().join("crates/text/tests/fixtures/tiny-bert")
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_path_buf()
}

/// The binary of a modality, built with the profile of this test. The first call builds all three.
fn binary(modality: &str) -> PathBuf {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let (mut build, folder) = build();
        build.current_dir(root()).args(["--workspace", "--exclude", "xtask"]);
        build.args(["--bins", "--features", "cli"]);
        assert!(build.status().expect("cargo runs").success());
        folder
    });
    folder.join(format!("crosstune-{modality}{}", std::env::consts::EXE_SUFFIX))
}

/// `cargo build` with the profile of this test, and the folder that it puts binaries in.
pub(crate) fn build() -> (Command, PathBuf) {
    let mut build = Command::new(env!("CARGO"));
    build.arg("build");
    if !cfg!(debug_assertions) {
        build.arg("--release");
    }
    // What cargo has told this test of its package is not for other packages' build scripts: those
    // that ask for it, as ring's does, would run again, and all that depends on them be built again.
    for (name, _) in std::env::vars_os() {
        let of_a_package = ["CARGO_MANIFEST_", "CARGO_PKG_"];
        let told = name.to_string_lossy();
        if told == "OUT_DIR" || of_a_package.iter().any(|prefix| told.starts_with(prefix)) {
            build.env_remove(name);
        }
    }
    // This test is `target/PROFILE/deps/tests-HASH`.
    let test = std::env::current_exe().expect("this test is a file");
    (build, test.ancestors().nth(2).expect("it lies in a profile's folder").to_path_buf())
}

/// Builds something with what libtorch draws at random decided by a seed. libtorch has one source of
/// randomness for all threads, and tests run in many.
pub(crate) fn seeded<T>(seed: u64, build: impl FnOnce() -> T) -> T {
    static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    crosstune_core::seed(seed);
    build()
}

//! Running the binaries on the samples that ship with the crates.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use crosstune_core::{
    DEFAULT_MEMORY, Dataset, Device, Input, LoadParts, Modality, Model, Pretrained, Splits,
};
use crosstune_text::TextSettings;
use font8x8::UnicodeFonts;
use serde_json::Value;

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

/// Takes out of a value what another run of the same differs in: times, memory, threads.
pub(crate) fn without_cost(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| name != "cost" && name != "seconds");
            fields.values_mut().for_each(without_cost);
        }
        Value::Array(items) => items.iter_mut().for_each(without_cost),
        _ => {}
    }
}

/// What a run folder holds but the time, the memory and the threads that it took.
pub(crate) fn outcome(run: &Path) -> Vec<(String, Vec<u8>)> {
    let contents = |name: &String| {
        let bytes = fs::read(run.join(name)).unwrap();
        let json = |bytes: &[u8]| {
            let mut value = serde_json::from_slice(bytes).unwrap();
            without_cost(&mut value);
            value.to_string()
        };
        match Path::new(name).extension().and_then(|ending| ending.to_str()) {
            Some("json") => json(&bytes).into_bytes(),
            Some("jsonl") => {
                bytes.split_inclusive(|&b| b == b'\n').map(json).collect::<String>().into_bytes()
            }
            _ => bytes,
        }
    };
    names(run).iter().map(|name| (name.clone(), contents(name))).collect()
}

/// The first file that differs.
pub(crate) fn difference<'a>(
    a: &'a [(String, Vec<u8>)],
    b: &'a [(String, Vec<u8>)],
) -> Option<(&'a str, &'a str)> {
    let pair = a.iter().zip(b).find(|(a, b)| a != b);
    let lengths = (a.len() != b.len()).then_some(("files", "files"));
    lengths.or(pair.map(|((a, _), (b, _))| (a.as_str(), b.as_str())))
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

/// A tiny BERT without dropout and with a fresh head, and so many sentences of each class, of which a share
/// is held out: the same at each call.
pub(crate) fn tiny_sentences(
    per_class: usize,
    held_out: f64,
    seed: u64,
) -> (Model, TextSettings, Splits) {
    let source = Pretrained::open(tiny_bert()).unwrap().with_dropout(0.).unwrap();
    let data = root().join("crates/text/samples/digits");
    let mut data = Dataset::open(data, &TextSettings::layout()).unwrap();
    data.limit_per_class(per_class, 0).unwrap();
    data.hold_out(held_out, 0).unwrap();
    let mut sentences = TextSettings::default();
    let embedder = sentences.adopt(&source).unwrap();
    let (splits, _) = Splits::read(&mut sentences, &data, DEFAULT_MEMORY, || ()).unwrap();
    let spec = TextSettings::spec(&source, embedder, data.labels);
    let key_map = source.source().unwrap();
    let source = Some((&key_map, LoadParts::Body));
    let model = seeded(seed, || Model::new(spec, &sentences, source, Device::Cpu).unwrap());
    (model, sentences, splits)
}

/// A recording that sings a text, in 16 bits at 16 kHz: a tone of so many samples for each letter, silence
/// for a space.
pub(crate) fn tones(text: &str, samples: usize) -> Input {
    const RATE: usize = 16_000;
    let letter = |letter: char| {
        let pitch = 300. + 400. * f64::from((letter as u32).saturating_sub(96));
        (0..samples).map(move |at| match letter {
            ' ' => 0,
            _ => ((at as f64 * pitch * std::f64::consts::TAU / RATE as f64).sin() * 9e3) as i16,
        })
    };
    let data: Vec<u8> = text.chars().flat_map(letter).flat_map(i16::to_le_bytes).collect();
    let mut wav = b"RIFF".to_vec();
    let number = |n: usize| (n as u32).to_le_bytes();
    wav.extend(number(36 + data.len()));
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend([RATE, 2 * RATE].map(number).concat());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend(number(data.len()));
    wav.extend(data);
    Input::Bytes { name: format!("{text}.wav"), bytes: wav.into() }
}

/// A picture of a line of text, as BMP: black letters of 16 × 16 pixels on white, with a margin.
pub(crate) fn line(text: &str) -> Input {
    const SIDE: usize = 16;
    let letters: Vec<[u8; 8]> =
        text.chars().map(|letter| font8x8::BASIC_FONTS.get(letter).unwrap_or_default()).collect();
    let (width, height) = (SIDE * letters.len(), SIDE + 4);
    let ink = |x: usize, y: usize| {
        let row = y.checked_sub(2).filter(|y| *y < SIDE).map(|y| letters[x / SIDE][y / 2]);
        row.is_some_and(|row| (row >> (x % SIDE / 2)) & 1 == 1)
    };
    let mut bmp = b"BM".to_vec();
    let bytes = 3 * width * height;
    let numbers = [54 + bytes, 0, 54, 40, width, height, 1 + (24 << 16), 0, 0, 0, 0, 0, 0];
    bmp.extend(numbers.iter().flat_map(|&n| (n as u32).to_le_bytes()));
    // From the bottom; a width that 4 divides needs no padding.
    for y in (0..height).rev() {
        bmp.extend((0..width).flat_map(|x| [if ink(x, y) { 0 } else { 255 }; 3]));
    }
    Input::Bytes { name: format!("{text}.bmp"), bytes: bmp.into() }
}

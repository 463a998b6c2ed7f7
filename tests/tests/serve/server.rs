//! A server of the binaries, as long as a test needs it.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use super::client::Connection;
use crate::support::{command, crosstune, root, train, words};

pub(super) struct Server {
    child: Child,
    pub(super) address: SocketAddr,
    said: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `crosstune-MODALITY serve WORDS…` at any free port.
    pub(super) fn start(modality: &str, words: &[OsString]) -> Self {
        let mut command = command(modality);
        command.arg("serve").args(words).args(["--listen", "127.0.0.1:0"]);
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary runs");
        let said = Arc::new(Mutex::new(vec![]));
        let (lines, heard) = (BufReader::new(child.stderr.take().unwrap()).lines(), said.clone());
        thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| heard.lock().unwrap().push(line));
        });
        let address = OnceLock::new();
        wait("it listens", || {
            let said = said.lock().unwrap();
            let line = said.iter().find_map(|line| line.split_once("http://"));
            if let Some((_, rest)) = line {
                let _ = address.set(rest.split(';').next().unwrap().trim().parse().unwrap());
            }
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "it has ended: {said:?}");
            line.is_some()
        });
        Self { child, address: *address.get().unwrap(), said }
    }

    pub(super) fn connect(&self) -> Connection {
        Connection::to(self.address)
    }

    /// What it has said on stderr so far.
    pub(super) fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }

    /// The most memory that it had, in MiB.
    pub(super) fn peak(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.
    }

    pub(super) fn signal(&self, signal: i32) {
        let id = self.child.id().to_string();
        let kill = std::process::Command::new("kill").args([format!("-{signal}"), id]).status();
        assert!(kill.unwrap().success());
    }

    /// Waits for its end; the exit code.
    pub(super) fn end(&mut self) -> i32 {
        let mut code = None;
        wait("it ends", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        code.and_then(|code| code.code()).unwrap_or(-1)
    }

    /// The value of a line of `/metrics` that begins so.
    pub(super) fn metric(&self, name: &str) -> f64 {
        let text = self.connect().get("/metrics").text();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or(0.)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lets other threads of a scope end, however this one does.
pub(super) struct SetAtEnd<'a>(pub(super) &'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Waits for what should come soon.
pub(super) fn wait(what: &str, mut there: impl FnMut() -> bool) {
    let since = Instant::now();
    while !there() {
        assert!(since.elapsed() < Duration::from_secs(120), "{what} within two minutes");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A model of digits in a modality, trained a little; once for all tests.
pub(super) fn run(modality: &str) -> PathBuf {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let out = FOLDER.get_or_init(|| tempfile::tempdir().unwrap()).path().join(modality);
    if !out.exists() {
        train(modality, &out, &["--epochs", "1", "--limit-per-class", "4"]).ok();
    }
    out
}

/// So many files of a modality's samples.
pub(super) fn files(modality: &str, count: usize) -> Vec<PathBuf> {
    let mut folders = vec![root().join(format!("crates/{modality}/samples/digits/test"))];
    let mut files = vec![];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    // From all classes.
    let step = (files.len() / count).max(1);
    files.into_iter().step_by(step).take(count).collect()
}

/// The texts of the samples.
pub(super) fn sentences(count: usize) -> Vec<String> {
    let table = fs::read_to_string(root().join("crates/text/samples/digits/test.tsv")).unwrap();
    let texts = table.lines().filter_map(|line| line.split('\t').next());
    texts.skip(1).cycle().take(count).map(str::to_string).collect()
}

/// What `predict --json` says of inputs.
pub(super) fn predicted(modality: &str, model: &Path, inputs: &[PathBuf]) -> Vec<Value> {
    let mut line = words!["predict", model, "--json"].to_vec();
    line.extend(inputs.iter().map(OsString::from));
    let said = crosstune(modality, &line).ok();
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Whether two answers are the same but for what is rounded otherwise in another batch, and the name
/// of the input.
pub(super) fn same(a: &Value, b: &Value) -> bool {
    /// As in `company.rs`.
    const WITHIN: f64 = 1e-5;
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            let [a, b] = [a, b].map(|n| n.as_f64().unwrap());
            (a - b).abs() <= WITHIN * a.abs().max(1.)
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| name == "input" || b.get(name).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

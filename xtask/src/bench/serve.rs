//! Answers over HTTP: `serve` against `xtask/scripts/serve_peer.py`, a FastAPI server of the same model in
//! PyTorch, with a queue of its own and without, under the same load.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::clients::{Load, Question, ask};
use super::measure::{output, peer};
use super::options::Options;
use crate::build::{self, Profile};
use crate::{minilm, paths};

/// Requests, and from how many connections.
const REQUESTS: usize = 10_000;
const CONNECTIONS: usize = 64;

/// How many inputs are asked about, in turn.
const INPUTS: usize = 500;

/// A model of one modality and what it is asked.
struct Job {
    name: &'static str,
    /// What it is trained on, below the folder of `--data`.
    data: &'static str,
    /// What it is asked about.
    inputs: &'static str,
    /// The pretrained model below the folder of `--data`; else all-MiniLM-L6-v2.
    weights: Option<&'static str>,
    media: &'static str,
    /// Options of the training.
    train: &'static [&'static str],
}

const JOBS: [Job; 3] = [
    Job {
        name: "text",
        data: "text/sst2/train.tsv",
        inputs: "text/sst2/test.tsv",
        weights: None,
        media: "application/json",
        train: &["--max-length", "128", "--freeze", "embedder,trunk"],
    },
    Job {
        name: "image",
        data: "images/cifar10",
        inputs: "images/cifar10/test",
        weights: Some("weights/resnet56-4bfd9763.th"),
        media: "application/octet-stream",
        train: &[],
    },
    Job {
        name: "audio",
        data: "speech/fsdd",
        inputs: "speech/fsdd",
        weights: Some("weights/whisper-tiny.en-encoder"),
        media: "application/octet-stream",
        train: &[
            "--label-pattern",
            r"^(?<label>\d)_",
            "--test-pattern",
            r"_[0-4]\.wav$",
            "--frames",
            "64",
            "--long",
            "cut",
        ],
    },
];

/// A server, as long as it is measured.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts one that says where it listens, `http://ADDRESS`, in a line on stderr.
    fn start(mut command: Command) -> Result<Self> {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let stderr = child.stderr.take().context("its stderr")?;
        let mut lines = BufReader::new(stderr).lines();
        let mut said = vec![];
        let address = loop {
            let Some(line) = lines.next().transpose()? else { bail!("{}", said.join("\n")) };
            if let Some((_, rest)) = line.split_once("http://") {
                break rest.split([' ', ';']).next().unwrap_or_default().parse()?;
            }
            said.push(line);
        };
        // Who does not read what it says would stop it.
        thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Ok(Self { child, address })
    }

    /// The most memory that it had, in MiB.
    fn peak(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")).context("VmHWM")?;
        Ok(kib.trim().parse::<f64>()? / 1024.)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs all jobs.
pub(super) fn run(options: &Options) -> Result<()> {
    let modules = ["fastapi", "uvicorn", "transformers", "torchaudio"];
    let Some(torch) = peer(&options.python, &modules) else { return Ok(()) };
    build::binaries(Profile::Release)?;
    say!(
        "ours against FastAPI with PyTorch {torch}: {REQUESTS} requests from {CONNECTIONS} connections, \
         one input each, in {}; a ratio above 1 is in our favour\n",
        options.precision
    );
    for job in JOBS.iter().filter(|job| options.job.as_ref().is_none_or(|name| name == job.name)) {
        if !options.data.join(job.data).exists() {
            say!("{} is left out: no {} in {}", job.name, job.data, options.data.display());
            continue;
        }
        measure(job, options)?;
    }
    Ok(())
}

fn measure(job: &Job, options: &Options) -> Result<()> {
    let run = run_of(job, options)?;
    let model = peers_model(job, &run)?;
    let questions = questions(job, &run, options)?;
    say!(
        "{:<22} {:>10} {:>8} {:>8} {:>9} {:>7} {:>7}",
        job.name,
        "a second",
        "p50, ms",
        "p99, ms",
        "peak, MiB",
        "lost",
        "wrong"
    );
    let mut ours = None;
    for (name, queue) in [("ours", None), ("FastAPI, queue", Some(32)), ("FastAPI", Some(1))] {
        let command = match queue {
            None => {
                let mut command = build::binary(Profile::Release, job.name);
                command.arg("serve").arg(format!("m={}", run.display()));
                command.args(["--listen", "127.0.0.1:0", "--precision", options.precision]);
                command
            }
            Some(queue) => {
                let mut command = Command::new(&options.python);
                command.arg(paths::root().join("xtask/scripts/serve_peer.py"));
                command.args(["--modality", job.name, "--batch", &queue.to_string()]);
                command.arg("--model").arg(&model).arg("--run").arg(&run);
                if options.precision == "bf16" {
                    command.arg("--autocast");
                }
                command
            }
        };
        // Batches of other sizes are rounded otherwise; other libraries resample otherwise, too.
        let within = match (queue, options.precision) {
            (None, "f32") => 1e-5,
            (_, "f32") => 1e-2,
            _ => 5e-2,
        };
        let server = Server::start(command)?;
        // The first batches of each size are slower.
        ask(server.address, &questions, 20 * CONNECTIONS, CONNECTIONS, within);
        let load = ask(server.address, &questions, REQUESTS, CONNECTIONS, within);
        let peak = server.peak()?;
        row(name, &load, peak, ours)?;
        ours = ours.or(Some((load.rate(), peak)));
        // The next one begins on a quiet computer.
        drop(server);
        thread::sleep(Duration::from_secs(2));
    }
    Ok(())
}

fn row(name: &str, load: &Load, peak: f64, ours: Option<(f64, f64)>) -> Result<()> {
    let ratio = ours.map(|(rate, memory)| {
        format!("  {:.2} times the speed, {:.2} of the memory", rate / load.rate(), memory / peak)
    });
    say!(
        "{name:<22} {:>10.0} {:>8.1} {:>8.1} {peak:>9.0} {:>7} {:>7}{}",
        load.rate(),
        load.percentile(0.5),
        load.percentile(0.99),
        load.lost,
        load.wrong,
        ratio.unwrap_or_default()
    );
    Ok(())
}

/// A model that was trained for a few steps, once.
fn run_of(job: &Job, options: &Options) -> Result<PathBuf> {
    let run = paths::runs().join(format!("serve-{}", job.name));
    if !run.exists() {
        let weights = match job.weights {
            Some(weights) => options.data.join(weights),
            None => minilm::fetch()?,
        };
        let mut command = build::binary(Profile::Release, job.name);
        command.arg("train").arg("--weights").arg(weights);
        command.arg("--data").arg(options.data.join(job.data));
        command.args(["--epochs", "1", "--validation", "0", "--max-steps", "60"]).args(job.train);
        output(command.arg("--out").arg(&run))?;
    }
    Ok(run)
}

/// The model as the peer takes it: transformers' own trunk of texts, which was not trained; the others as
/// TorchScript.
fn peers_model(job: &Job, run: &Path) -> Result<PathBuf> {
    if job.name == "text" {
        return minilm::fetch();
    }
    let export = paths::runs().join(format!("serve-{}.pt", job.name));
    if !export.exists() {
        let mut command = build::binary(Profile::Release, job.name);
        command.arg("export").arg(run).args(["--format", "torchscript"]).arg("--out").arg(&export);
        output(&mut command)?;
    }
    Ok(export)
}

/// What is asked, with what `predict` answers.
fn questions(job: &Job, run: &Path, options: &Options) -> Result<Vec<Question>> {
    let inputs = options.data.join(job.inputs);
    let mut command = build::binary(Profile::Release, job.name);
    command.arg("predict").arg(run).arg(&inputs).arg("--json");
    command.args(["--precision", options.precision]);
    let said = output(&mut command)?;
    let all: Vec<Value> = said.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let step = (all.len() / INPUTS).max(1);
    let question = |line: &Value| {
        let first = &line["labels"][0];
        let label = first["label"].as_str().context("a label")?.to_owned();
        let probability = first["probability"].as_f64().context("a probability")?;
        let body = match line["text"].as_str() {
            Some(text) => json!({"inputs": [text]}).to_string().into_bytes(),
            None => fs::read(line["input"].as_str().context("a file")?)?,
        };
        let path = "/v1/models/m/predict".to_owned();
        Ok(Question { path, media: job.media, body, wanted: (label, probability) })
    };
    all.iter().step_by(step).take(INPUTS).map(question).collect()
}

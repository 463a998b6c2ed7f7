//! Loading a checkpoint: `crates/core/examples/load.rs` against `xtask/scripts/load.py`, each in a
//! fresh process, the file in the page cache.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::measure::{figure, median, output, peer};
use super::options::Options;
use crate::{build, minilm, paths};

/// How often each side has its turn, if nobody says.
const ROUNDS: usize = 9;

/// What both sides do with a file.
struct Job {
    file: Stored,
    /// The function of the peer.
    peer: &'static str,
    share: f64,
    work: &'static str,
    /// What the table says.
    label: &'static str,
}

/// A file to load.
#[derive(Clone, Copy)]
enum Stored {
    MiniLm,
    Zip,
    Legacy,
}

const JOBS: [Job; 8] = {
    use Stored::{Legacy, MiniLm, Zip};
    const fn job(
        file: Stored,
        peer: &'static str,
        share: f64,
        work: &'static str,
        label: &'static str,
    ) -> Job {
        Job { file, peer, share, work, label }
    }
    [
        job(MiniLm, "safetensors", 1., "open", "MiniLM safetensors, opened"),
        job(MiniLm, "safetensors", 1., "sum", "MiniLM safetensors, all used"),
        job(Zip, "torch", 1., "sum", "500 MB zip, all used"),
        job(Zip, "torch", 0.1, "sum", "500 MB zip, a tenth used"),
        job(Zip, "mmap", 1., "sum", "  against mmap=True, all"),
        job(Zip, "mmap", 0.1, "sum", "  against mmap=True, a tenth"),
        job(Legacy, "torch", 1., "sum", "500 MB legacy, all used"),
        job(Legacy, "torch", 0.1, "sum", "500 MB legacy, a tenth used"),
    ]
};

/// What a load costs.
struct Cost {
    seconds: f64,
    /// The most that the process grew by, the pages of files that it had mapped included.
    peak_mib: f64,
    /// What it grew by without those.
    own_mib: f64,
}

/// Runs all jobs.
pub(super) fn run(options: &Options) -> Result<()> {
    let Some(torch) = peer(&options.python, &["safetensors.torch"]) else { return Ok(()) };
    let example = build::example("load")?;
    let script = paths::root().join("xtask/scripts/load.py");
    let folder = Folder::new()?;
    for form in ["zip", "legacy"] {
        let mut make = Command::new(&options.python);
        output(make.arg(&script).args(["make", form]).arg(folder.0.join(form)))?;
    }
    let minilm = minilm::fetch()?.join("model.safetensors");
    let rounds = options.rounds.unwrap_or(ROUNDS);
    let threads = thread::available_parallelism()?.get();
    say!(
        "ours against Python with PyTorch {torch}: loading from the page cache, {threads} threads, \
         medians of {rounds} rounds, by turns; a ratio above 1 is in our favour; memory is growth, \
         at its peak with the pages of mapped files, at the end without\n"
    );
    say!("{:<29} {:>25} {:>23} {:>16} {:>5}", "load", "time, ms", "peak, MiB", "own, MiB", "used");
    for job in &JOBS {
        let path = match job.file {
            Stored::MiniLm => minilm.clone(),
            Stored::Zip => folder.0.join("zip"),
            Stored::Legacy => folder.0.join("legacy"),
        };
        warm(&path)?;
        let work = [job.share.to_string(), job.work.to_owned()];
        let run = |mut command: Command| {
            command.arg(&path).args(&work);
            // The same for both, whatever each would take by itself.
            command.env("OMP_NUM_THREADS", threads.to_string());
            let text = output(&mut command)?;
            serde_json::from_str::<Value>(&text).with_context(|| text)
        };
        let (mut ours, mut theirs) = (vec![], vec![]);
        let mut used = 0.;
        for _ in 0..rounds {
            let our = run(Command::new(&example))?;
            let mut python = Command::new(&options.python);
            python.arg(&script).arg(job.peer);
            let their = run(python)?;
            same_work(&our, &their).with_context(|| format!("{}: not the same", job.label))?;
            used = mib(&our, "/bytes")?;
            ours.push(cost(&our)?);
            theirs.push(cost(&their)?);
        }
        let pair = |of: fn(&Cost) -> f64| (median(&ours, of), median(&theirs, of));
        let (time, peak, own) =
            (pair(|c| 1e3 * c.seconds), pair(|c| c.peak_mib), pair(|c| c.own_mib));
        say!(
            "{:<29} {:>25} {:>23} {:>16} {used:>5.0}",
            job.label,
            format!("{:.2} / {:.2} = {:.2}×", time.0, time.1, time.1 / time.0),
            format!("{:.0} / {:.0} = {:.2}×", peak.0, peak.1, peak.1 / peak.0),
            // Next to nothing, as of a map, has no ratio.
            format!("{:.1} / {:.1}", own.0, own.1),
        );
    }
    Ok(())
}

fn mib(result: &Value, pointer: &str) -> Result<f64> {
    Ok(figure(result, pointer)? / 1024. / 1024.)
}

fn cost(result: &Value) -> Result<Cost> {
    Ok(Cost {
        seconds: figure(result, "/seconds")?,
        peak_mib: mib(result, "/peak_growth_bytes")?,
        own_mib: mib(result, "/own_growth_bytes")?,
    })
}

/// Checks that both sides had the same data and means; a sum's last digits hang on its order.
fn same_work(our: &Value, their: &Value) -> Result<()> {
    for pointer in ["/tensors", "/bytes", "/threads", "/sum"] {
        let (a, b) = (figure(our, pointer)?, figure(their, pointer)?);
        if (a - b).abs() > 1e-6 * b.abs() {
            bail!("{pointer} is {a} for us and {b} for Python");
        }
    }
    Ok(())
}

/// Brings a file into the page cache, and to the disk, so that no write goes on meanwhile.
fn warm(path: &Path) -> Result<()> {
    let mut file = File::open(path).with_context(|| path.display().to_string())?;
    file.sync_all().with_context(|| path.display().to_string())?;
    io::copy(&mut file, &mut io::sink()).with_context(|| path.display().to_string())?;
    Ok(())
}

/// A folder that goes when the benchmark ends, however it ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let path = paths::runs().join("bench-load");
        fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing more can be done, and the next run writes the same files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn other_work_is_noticed() {
        let of = |sum: f64| json!({"tensors": 2, "bytes": 8, "threads": 1, "sum": sum});
        assert!(same_work(&of(1e6), &of(1e6 + 0.5)).is_ok());
        assert!(same_work(&of(1e6), &of(1e6 + 2.)).is_err());
        assert!(same_work(&of(1.), &json!({"sum": 1.})).is_err());
    }
}

//! Times the loading of a checkpoint; `cargo xtask bench --only load` runs it against Python.
//!
//! ```text
//! cargo run --release -p crosstune-core --example load -- CHECKPOINT SHARE open|sum
//! ```
//!
//! It hands over the first SHARE of the tensors, in the order of their names: 1 is all, 0.1 a tenth.
//! `open` leaves their data alone, `sum` adds up each tensor. It prints one JSON object: seconds
//! from before the file is opened to the last tensor or sum; the tensors and their bytes; the total
//! of the sums; and by how much the process grew: at its peak, with what it has mapped of files,
//! and in memory of its own at the end, while all the tensors live.

// What it finds out is its output.
#![allow(clippy::print_stdout)]

use std::{error::Error, fs, time::Instant};

use crosstune_core::Checkpoint;
use serde_json::json;
use tch::{Device, Kind, Tensor};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [path, share, work] = &args[..] else {
        return Err("usage: load CHECKPOINT SHARE open|sum".into());
    };
    let share: f64 = share.parse()?;
    let sum = match work.as_str() {
        "open" => false,
        "sum" => true,
        other => return Err(format!("`{other}` is neither open nor sum").into()),
    };
    // libtorch's threads start with the first large sum, which is not the file's fault.
    let _ = Tensor::f_zeros([1 << 20], (Kind::Float, Device::Cpu))?.f_sum(Kind::Float)?;
    let before = (memory("VmRSS:")?, memory("RssAnon:")?);

    let start = Instant::now();
    let checkpoint = Checkpoint::open(path)?;
    let count = (share * checkpoint.entries().count() as f64).ceil() as usize;
    let names = checkpoint.entries().take(count).map(|(name, _)| name);
    let mut total = 0.;
    let mut tensors = Vec::with_capacity(count);
    for name in names {
        let tensor = checkpoint.tensor(name)?;
        if sum {
            total += tensor.f_sum(tensor.kind())?.f_double_value(&[])?;
        }
        tensors.push(tensor);
    }
    let seconds = start.elapsed().as_secs_f64();

    let bytes: usize = tensors.iter().map(|t| t.numel() * t.kind().elt_size_in_bytes()).sum();
    let result = json!({
        "seconds": seconds,
        "tensors": tensors.len(),
        "bytes": bytes,
        "sum": total,
        "threads": tch::get_num_threads(),
        "peak_growth_bytes": memory("VmHWM:")?.saturating_sub(before.0),
        "own_growth_bytes": memory("RssAnon:")?.saturating_sub(before.1),
    });
    println!("{result}");
    Ok(())
}

/// A figure of this process in bytes, as Linux keeps it.
fn memory(field: &str) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    Ok(1024
        * kib.ok_or_else(|| format!("no {field} in /proc/self/status"))?.trim().parse::<u64>()?)
}

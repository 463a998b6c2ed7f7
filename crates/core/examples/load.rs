//! Times the loading of a checkpoint; `cargo xtask bench --only load` runs it against Python.
//!
//! ```text
//! cargo run --release -p crosstune-core --example load -- CHECKPOINT FRACTION open|sum
//! ```
//!
//! It loads the first FRACTION of the tensors, in the order of their names: 1 is all, 0.1 a tenth.
//! `open` leaves their data alone, `sum` adds up each tensor. It prints one JSON object: seconds
//! from before the file is opened to the last tensor or sum; the tensors and their bytes; the total
//! of the sums; and by how much the process grew: at its peak, mapped files included, and in
//! anonymous memory at the end, while all the tensors are alive.

// Its output is its result.
#![allow(clippy::print_stdout)]

use std::{error::Error, fs, time::Instant};

use crosstune_core::Checkpoint;
use serde_json::json;
use tch::{Device, Kind, Tensor};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [path, fraction, work] = &args[..] else {
        return Err("usage: load CHECKPOINT FRACTION open|sum".into());
    };
    let fraction: f64 = fraction.parse()?;
    let sum = match work.as_str() {
        "open" => false,
        "sum" => true,
        other => return Err(format!("`{other}` is neither open nor sum").into()),
    };
    // libtorch's threads start with the first large sum: their start is not part of loading.
    let _ = Tensor::f_zeros([1 << 20], (Kind::Float, Device::Cpu))?.f_sum(Kind::Float)?;
    let before = (memory("VmRSS:")?, memory("RssAnon:")?);

    let start = Instant::now();
    let checkpoint = Checkpoint::open(path)?;
    let count = (fraction * checkpoint.entries().count() as f64).ceil() as usize;
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

/// A field of this process's status, as Linux reports it, in bytes.
fn memory(field: &str) -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    Ok(1024
        * kib.ok_or_else(|| format!("no {field} in /proc/self/status"))?.trim().parse::<u64>()?)
}

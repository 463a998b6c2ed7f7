//! Preparing pictures: `crates/image/examples/prepare.rs` against `xtask/scripts/inputs_image.py`, each
//! in a fresh process, the files in the page cache.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::measure::{figure, median, output, peer};
use super::options::Options;
use crate::{build, paths};

/// How often each side has its turn, if nobody says.
const ROUNDS: usize = 5;
/// The photographs below the folder that `--data` names.
const PHOTOS: &str = "photos/clothing/train";
/// The side of the square that they become, in pixels.
const SIZE: &str = "224";

/// Runs all jobs.
pub(super) fn run(options: &Options) -> Result<()> {
    let Some(torch) = peer(&options.python, &["torchvision", "PIL"]) else { return Ok(()) };
    let folder = options.data.join(PHOTOS);
    if !folder.is_dir() {
        say!("image: left out: no {PHOTOS} in {}", options.data.display());
        return Ok(());
    }
    let example = build::example("prepare")?;
    let script = paths::root().join("xtask/scripts/inputs_image.py");
    let rounds = options.rounds.unwrap_or(ROUNDS);
    say!(
        "ours against Python with PyTorch {torch}: photographs decoded, scaled to {SIZE} × {SIZE} and \
         normalised, medians of {rounds} rounds, by turns; a ratio above 1 is in our favour; the time \
         of processors hangs less on what else runs\n"
    );
    say!("{:<12} {:>7} {:>25} {:>25}", "against", "workers", "a picture, ms", "of a processor, ms");
    for workers in ["1", "2"] {
        let run = |mut command: Command| -> Result<Value> {
            command.arg(&folder).args([SIZE, workers]).env("OMP_NUM_THREADS", "1");
            let text = output(&mut command)?;
            serde_json::from_str(&text).with_context(|| text)
        };
        let python = |how: &str| {
            let mut python = Command::new(&options.python);
            python.arg(&script).arg(how);
            python
        };
        let peers = ["torchvision", "pillow"];
        let mut ours = vec![];
        let mut theirs = peers.map(|_| vec![]);
        for _ in 0..rounds {
            let mut command = Command::new(&example);
            // As our binaries set it for themselves: freed memory is kept.
            command.env("MALLOC_MMAP_MAX_", "0").env("MALLOC_TRIM_THRESHOLD_", "2000000000");
            let our = run(command)?;
            ours.push(cost(&our)?);
            for (how, costs) in peers.iter().zip(&mut theirs) {
                let their = run(python(how))?;
                same_work(&our, &their).with_context(|| format!("{how}: not the same"))?;
                costs.push(cost(&their)?);
            }
        }
        for (how, costs) in peers.iter().zip(&theirs) {
            let ratio = |of: fn(&Cost) -> f64| {
                let (our, their) = (median(&ours, of), median(costs, of));
                format!("{our:.2} / {their:.2} = {:.2}×", their / our)
            };
            let (wall, cpu) = (ratio(|cost| cost.wall), ratio(|cost| cost.cpu));
            say!("{how:<12} {workers:>7} {wall:>25} {cpu:>25}");
        }
    }
    Ok(())
}

/// What a picture takes, in milliseconds.
struct Cost {
    /// By the clock on the wall.
    wall: f64,
    /// Of all processors together.
    cpu: f64,
}

fn cost(result: &Value) -> Result<Cost> {
    let each = |pointer| {
        Ok::<_, anyhow::Error>(1e3 * figure(result, pointer)? / figure(result, "/pictures")?)
    };
    Ok(Cost { wall: each("/seconds")?, cpu: each("/cpu_seconds")? })
}

/// Checks that both sides had the same pictures, to a hundredth of a deviation: decoders round each in
/// its own way.
fn same_work(our: &Value, their: &Value) -> Result<()> {
    for (pointer, within) in [("/pictures", 0.), ("/mean", 0.01)] {
        let (a, b) = (figure(our, pointer)?, figure(their, pointer)?);
        if (a - b).abs() > within {
            bail!("{pointer} is {a} for us and {b} for Python");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn other_work_is_noticed() {
        let of = |pictures: u32, mean: f64| json!({"pictures": pictures, "mean": mean});
        assert!(same_work(&of(9, 0.25), &of(9, 0.255)).is_ok());
        assert!(same_work(&of(9, 0.25), &of(9, 0.3)).is_err());
        assert!(same_work(&of(9, 0.25), &of(8, 0.25)).is_err());
    }
}

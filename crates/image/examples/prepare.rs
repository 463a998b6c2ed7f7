//! Times the preparation of pictures; `cargo xtask bench --only image` runs it against Python.
//!
//! ```text
//! cargo run --release -p crosstune-image --example prepare -- FOLDER SIZE WORKERS
//! ```
//!
//! Each JPEG file below FOLDER is read, decoded, scaled and cropped to SIZE × SIZE pixels, and
//! normalised, 16 to a batch, by WORKERS threads that each take every so many-th file. It prints one
//! JSON object: seconds from the first file to the last batch, those that the workers had a processor
//! (which hang less on what else runs), the pictures, and the mean of all values.

// What it finds out is its output.
#![allow(clippy::print_stdout)]

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Instant,
};

use crosstune_core::{BoxError, Input, Modality};
use crosstune_image::{Channels, ImageOptions, ImageSettings};
use serde_json::json;
use tch::Tensor;

/// Pictures in a batch.
const BATCH: usize = 16;

fn main() -> Result<(), BoxError> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [folder, size, workers] = &args[..] else {
        return Err("usage: prepare FOLDER SIZE WORKERS".into());
    };
    let (size, workers): (u32, usize) = (size.parse()?, workers.parse()?);
    let asked = ImageOptions {
        size: Some(size),
        patch: Some(size),
        channels: Some(Channels::Rgb),
        ..ImageOptions::default()
    };
    let settings = ImageSettings::new(asked)?;
    let mut files = vec![];
    list(Path::new(folder), &mut files)?;
    files.sort();
    let files: Vec<Input> = files.into_iter().map(Input::File).collect();
    // Each worker is a thread, as libtorch's own would be more.
    tch::set_num_threads(1);
    prepare(&settings, &files[..files.len().min(BATCH)], 1)?;

    let start = Instant::now();
    let sums = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|first| {
                let (settings, files) = (&settings, &files[first.min(files.len())..]);
                scope.spawn(move || prepare(settings, files, workers))
            })
            .collect();
        workers.into_iter().map(|worker| worker.join()).collect::<Vec<_>>()
    });
    let seconds = start.elapsed().as_secs_f64();

    let (mut total, mut cpu) = (0., 0.);
    for sum in sums {
        let (sum, seconds) = sum.map_err(|_| "a worker panicked")??;
        total += sum;
        cpu += seconds;
    }
    let result = json!({
        "seconds": seconds,
        "cpu_seconds": cpu,
        "pictures": files.len(),
        "mean": total / files.len() as f64,
    });
    println!("{result}");
    Ok(())
}

/// Prepares every `step`-th file; returns the sum of the pictures' means, and the seconds that this
/// thread had a processor.
fn prepare(settings: &ImageSettings, files: &[Input], step: usize) -> Result<(f64, f64), BoxError> {
    let start = cpu()?;
    let mine: Vec<&Input> = files.iter().step_by(step).collect();
    let mut sum = 0.;
    for inputs in mine.chunks(BATCH) {
        let samples =
            inputs.iter().map(|input| settings.read(input)).collect::<Result<Vec<_>, _>>()?;
        let batch = settings.batch(&samples.iter().collect::<Vec<&Tensor>>());
        sum += batch.x.f_mean(None)?.f_double_value(&[])? * inputs.len() as f64;
    }
    Ok((sum, cpu()? - start))
}

/// The seconds that this thread has had a processor, as Linux tells.
fn cpu() -> Result<f64, BoxError> {
    let stat = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(stat.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e9)
}

/// All JPEG files below a folder.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), BoxError> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if path.extension().is_some_and(|ending| ending == "jpg") {
            files.push(path);
        }
    }
    Ok(())
}

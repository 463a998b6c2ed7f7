//! Reads a folder's recordings into log-mel frames, as training does, and tells what that costs:
//!
//! ```text
//! cargo run --release --example inputs -- FOLDER THREADS
//! {"files":3000,"frames":134043,"threads":1,"sum":-1.2e7,"seconds":0.31}
//! ```
//!
//! `cargo xtask bench --only audio` sets this against torchaudio.

#![allow(clippy::print_stdout)]

use std::{env, fs, path::PathBuf, time::Instant};

use crosstune_audio::{AudioOptions, AudioSettings, Recording};
use crosstune_core::{BoxError, Input, Modality};
use rayon::{ThreadPoolBuilder, prelude::*};
use tch::{Kind, Tensor};

/// How many are read before the clock starts.
const WARM: usize = 100;

fn main() -> Result<(), BoxError> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [folder, threads] = &args[..] else { return Err("usage: inputs FOLDER THREADS".into()) };
    let threads = threads.parse()?;
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_, BoxError>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "wav"));
    paths.sort();
    let rate = paths.first().ok_or("no WAV files")?;
    let audio = AudioSettings::new(AudioOptions {
        sample_rate: Some(Recording::open(rate)?.sample_rate()),
        ..AudioOptions::default()
    })?;
    let pool = ThreadPoolBuilder::new().num_threads(threads).build()?;
    let read = |paths: &[PathBuf]| -> Result<Vec<Tensor>, BoxError> {
        pool.install(|| {
            paths.par_iter().map(|path| audio.read(&Input::File(path.clone()))).collect()
        })
    };
    read(&paths[..paths.len().min(WARM)])?;

    let start = Instant::now();
    let samples = read(&paths)?;
    let seconds = start.elapsed().as_secs_f64();

    let frames: i64 = samples.iter().map(|sample| sample.size()[0]).sum();
    let sum: f64 = samples.iter().map(|x| x.sum(Kind::Double).double_value(&[])).sum();
    let files = samples.len();
    println!(
        r#"{{"files":{files},"frames":{frames},"threads":{threads},"sum":{sum},"seconds":{seconds}}}"#
    );
    Ok(())
}

//! `crosstune-audio` from outside: one binary, so that libtorch is linked once.

mod adopt;
mod augment;
mod bad;
mod clap;
mod containers;
mod families;
mod features;
mod heard;
mod layers;
mod long;
mod mel;
mod mfcc;
mod resample;
mod seen;
mod settings;
mod show;
mod speech;
mod speeds;
mod transcribing;
mod trunks;
mod wav;

use std::path::{Path, PathBuf};

use crosstune_core::Checkpoint;
use hound::{SampleFormat, WavSpec, WavWriter};

/// 16-bit mono.
fn spec(sample_rate: u32) -> WavSpec {
    WavSpec { channels: 1, sample_rate, bits_per_sample: 16, sample_format: SampleFormat::Int }
}

/// Writes a WAV file into a folder.
fn write<S: hound::Sample>(
    folder: &Path,
    name: &str,
    spec: WavSpec,
    samples: impl IntoIterator<Item = S>,
) -> PathBuf {
    let path = folder.join(name);
    let mut file = WavWriter::create(&path, spec).unwrap();
    samples.into_iter().for_each(|s| file.write_sample(s).unwrap());
    file.finalize().unwrap();
    path
}

/// `length` samples of a tone, for 16-bit files.
fn tone(hz: f64, rate: u32, length: usize) -> impl Iterator<Item = i16> {
    let step = std::f64::consts::TAU * hz / f64::from(rate);
    (0..length).map(move |n| (12_000. * (step * n as f64).sin()) as i16)
}

/// A tensor of `xtask/scripts/fixtures/audio.py`, row by row.
fn computed(name: &str) -> Vec<f32> {
    computed_in("mel.safetensors", name)
}

/// The same of another of its files.
fn computed_in(file: &str, name: &str) -> Vec<f32> {
    let tensors = Checkpoint::open(fixture(file)).unwrap();
    tensors.tensor(name).unwrap().flatten(0, -1).try_into().unwrap()
}

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures", name].iter().collect()
}

const FLOAT: (tch::Kind, tch::Device) = (tch::Kind::Float, tch::Device::Cpu);

//! Containers other than WAV, against soundfile's and ffmpeg's decoding.

use std::{fs, path::PathBuf};

use crosstune_audio::{Recording, RecordingError};
use crosstune_core::Checkpoint;

use crate::fixture;

fn file(name: &str) -> PathBuf {
    fixture("files").join(name)
}

/// What the reference decodes of a fixture.
fn decoded(name: &str) -> Vec<f32> {
    let tensors = Checkpoint::open(file("decoded.safetensors")).unwrap();
    tensors.tensor(name).unwrap().try_into().unwrap()
}

fn read(name: &str) -> Vec<f32> {
    Recording::open(&file(name)).unwrap().read(usize::MAX).unwrap()
}

fn furthest(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0., f32::max)
}

#[test]
fn what_is_packed_without_loss_is_equal() {
    for name in ["tone.flac", "tone-24.flac", "tone.aiff", "tone-double.wav"] {
        assert_eq!(read(name), decoded(name), "{name}");
    }
}

#[test]
fn what_is_packed_with_loss_is_decoded_alike() {
    for (name, within) in [("tone.ogg", 1e-6), ("tone.mp3", 5e-6)] {
        let (ours, theirs) = (read(name), decoded(name));
        assert_eq!(ours.len(), theirs.len(), "{name}");
        let far = furthest(&ours, &theirs);
        assert!(far < within, "{name}: off by {far:e}");
    }
    // Without the encoder's tag, nobody can tell how much it padded; libsndfile takes off what a
    // decoder usually adds.
    let (ours, theirs) = (read("bare.mp3"), decoded("bare.mp3"));
    assert_eq!(ours.len(), 7 * 576);
    assert!(furthest(&ours, &theirs) < 5e-6);
}

#[test]
fn headers_tell_rate_channels_and_length() {
    for (name, rate, channels, samples) in [
        ("tone.flac", 16_000, 2, 2400),
        ("tone-24.flac", 44_100, 1, 2205),
        ("tone.ogg", 16_000, 2, 2400),
        ("tone.mp3", 16_000, 2, 2400),
        ("tone.aiff", 16_000, 2, 800),
        ("tone-double.wav", 16_000, 2, 400),
    ] {
        let recording = Recording::open(&file(name)).unwrap();
        let told = (recording.sample_rate(), recording.channels(), recording.samples());
        assert_eq!(told, (rate, Some(channels), Some(samples)), "{name}");
        assert_eq!(recording.seconds().unwrap(), samples as f64 / f64::from(rate));
    }
}

#[test]
fn the_first_samples_are_the_same() {
    for name in ["tone.flac", "tone-24.flac", "tone.ogg", "tone.mp3", "tone.aiff"] {
        let some = Recording::open(&file(name)).unwrap().read(100).unwrap();
        assert_eq!(some, read(name)[..100], "{name}");
    }
}

#[test]
fn contents_count_and_not_names() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["tone.flac", "tone.ogg", "tone.mp3", "tone.aiff"] {
        let path = folder.path().join("a.wav");
        fs::copy(file(name), &path).unwrap();
        assert_eq!(Recording::open(&path).unwrap().read(usize::MAX).unwrap(), read(name));
        let bytes = Recording::from_bytes(fs::read(file(name)).unwrap()).unwrap();
        assert_eq!(bytes.read(usize::MAX).unwrap(), read(name));
    }
    let error = Recording::from_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0".to_vec()).unwrap_err();
    assert!(matches!(error, RecordingError::Foreign(_)));
    let says = "it is an MPEG-4 file; convert it, as with `ffmpeg -i FILE out.wav`";
    assert!(error.to_string().ends_with(says), "{error}");
}

//! Bad recordings: each is one clear line or a correct sample, without a panic, in bounded memory.

use std::{
    fs,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
};

use crosstune_audio::{AudioOptions, AudioSettings, Long};
use crosstune_core::{Input, Modality, error::one_line};
use hound::{SampleFormat, WavSpec};

use crate::{fixture, spec, tone, write};

/// What is to come of a file.
#[derive(Clone, Copy)]
enum Comes {
    /// A sample of so many frames, at 8 kHz.
    Sample(i64),
    /// A line that contains this.
    Line(&'static str),
    /// Either: nothing tells how much is missing.
    Either,
}

use Comes::{Either, Line, Sample};

/// What every hook makes of a file: it reads, keeps, measures and shows it, or refuses it.
fn assert_comes(name: &str, path: &Path, comes: Comes) {
    let options =
        AudioOptions { sample_rate: Some(8000), frames: Some(64), ..AudioOptions::default() };
    let audio = AudioSettings::new(options.clone()).unwrap();
    let windows =
        AudioSettings::new(AudioOptions { long: Some(Long::Windows), ..options }).unwrap();
    let input = Input::File(path.into());
    let result = audio.read(&input).map_err(|e| one_line(e.as_ref()));
    match (&result, comes) {
        (Ok(sample), Sample(frames)) => assert_eq!(sample.size(), [frames, 40], "{name}"),
        (Ok(sample), Either) => assert!(sample.size()[0] >= 1, "{name}"),
        (Err(line), Line(says)) => assert!(line.contains(says), "{name}: {line}\n  not: {says}"),
        (Err(_), Either) => {}
        (Ok(sample), Line(says)) => panic!("{name}: {:?}, and not: {says}", sample.size()),
        (Err(line), Sample(_)) => panic!("{name}: {line}"),
    }
    match &result {
        Ok(sample) => {
            assert_eq!(sample.isfinite().all().int64_value(&[]), 1, "{name}");
            assert!(sample.size()[0] <= 64, "{name}");
        }
        Err(line) => {
            assert!(!line.is_empty() && line.len() < 300 && !line.contains('\n'), "{name}: {line}");
        }
    }
    // The other hooks may know less or more of a file, but none of them may panic.
    let others = [
        audio.read_for_training(&input).map(drop),
        windows.read(&input).map(drop),
        audio.size(&input).map(drop),
        audio.preview(&input).map(drop),
    ];
    for line in others.into_iter().filter_map(Result::err) {
        let line = one_line(line.as_ref());
        assert!(!line.is_empty() && line.len() < 300 && !line.contains('\n'), "{name}: {line}");
    }
    let mut surveyed = AudioSettings::default();
    surveyed.survey(&[&input]);
}

/// Writes each file and looks at what comes of it. Returns how many there were.
fn assert_all(files: impl IntoIterator<Item = (String, Vec<u8>, Comes)>) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let mut count = 0;
    for (name, bytes, comes) in files {
        let path = folder.path().join("a.wav");
        fs::write(&path, bytes).unwrap();
        assert_comes(&name, &path, comes);
        count += 1;
    }
    count
}

/// What all tests of this binary together may take at their peak, libtorch included, in bytes.
const BOUND: u64 = 512 << 20;

/// Checks that no more memory was ever resident than the bound, where the system tells.
fn check_memory() {
    let Ok(status) = fs::read_to_string("/proc/self/status") else { return };
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kib << 10 < BOUND, "{kib} KiB");
}

fn file(name: &str) -> Vec<u8> {
    fs::read(fixture("files").join(name)).unwrap()
}

/// A 16-bit mono WAV file of 0.1 s.
fn wav() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    fs::read(write(folder.path(), "a.wav", spec(8000), tone(440., 8000, 800))).unwrap()
}

fn with(bytes: &[u8], at: usize, patch: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + patch.len()].copy_from_slice(patch);
    bytes
}

#[test]
fn what_is_cut_short_is_named() {
    let whole = [
        ("wav", wav()),
        ("double.wav", file("tone-double.wav")),
        ("flac", file("tone.flac")),
        ("24.flac", file("tone-24.flac")),
        ("aiff", file("tone.aiff")),
        ("ogg", file("tone.ogg")),
        ("mp3", file("tone.mp3")),
        ("bare.mp3", file("bare.mp3")),
    ];
    let count = assert_all(whole.iter().flat_map(|(name, bytes)| {
        let length = bytes.len();
        let places =
            [0, 1, 4, 11, 30, 43, length / 8, length / 4, length / 2, 3 * length / 4, length - 1];
        places.into_iter().map(move |at| {
            // Every cut of these shows; an MP3 without the encoder's tag may end anywhere.
            let comes = if *name == "bare.mp3" { Either } else { Line("") };
            (format!("{name} cut to {at} of {length}"), bytes[..at].to_vec(), comes)
        })
    }));
    assert_eq!(count, 88);
}

#[test]
fn headers_that_lie_are_named() {
    let (wav, flac, ogg, aiff) = (wav(), file("tone.flac"), file("tone.ogg"), file("tone.aiff"));
    let max = [0xff; 4];
    let text = |bytes: &[u8], magic: &[u8]| {
        bytes.windows(magic.len()).position(|window| window == magic).unwrap()
    };
    let (comm, vorbis) = (text(&aiff, b"COMM"), text(&ogg, b"\x01vorbis"));
    let files = [
        ("wav: 0 Hz", with(&wav, 24, &[0; 4]), Line("a sample rate of 0 Hz")),
        ("wav: 4 GHz", with(&wav, 24, &max), Line("a sample rate of 4,294,967,295 Hz")),
        ("wav: 1 MHz", with(&wav, 24, &1_000_000_u32.to_le_bytes()), Line("1,000,000 Hz")),
        ("wav: no channels", with(&wav, 22, &[0; 2]), Line("no channels")),
        ("wav: 65,535 channels", with(&wav, 22, &[0xff; 2]), Line("65535 channels")),
        ("wav: 0 bits", with(&wav, 34, &[0; 2]), Line("0-bit integers")),
        ("wav: 65,535 bits", with(&wav, 34, &[0xff; 2]), Line("65535-bit integers")),
        ("wav: blocks of 0", with(&wav, 32, &[0; 2]), Line("in blocks of 0 bytes")),
        ("wav: format 0", with(&wav, 20, &[0; 2]), Line("unknown kind (format 0x0000)")),
        ("wav: format -1", with(&wav, 20, &[0xff; 2]), Line("unknown kind (format 0xffff)")),
        ("wav: A-law of 16 bits", with(&wav, 20, &[6, 0]), Line("16-bit logarithms: convert it")),
        ("wav: ADPCM", with(&wav, 20, &[2, 0]), Line("compressed (ADPCM): convert it")),
        ("wav: 2 GB of data", with(&wav, 40, &[0, 0, 0xff, 0x7f]), Line("it is cut short")),
        ("wav: no data", with(&wav, 40, &[0; 4]), Line("it holds no samples")),
        ("wav: half a sample", with(&wav, 40, &[1, 0, 0, 0]), Line("it holds no samples")),
        ("wav: an odd length", with(&wav, 40, &[0x3f, 6, 0, 0]), Sample(10)),
        ("wav: unknown length", with(&wav, 40, &max), Sample(11)),
        ("wav: RIFF of 0 bytes", with(&wav, 4, &[0; 4]), Sample(11)),
        ("wav: RIFF of 4 GiB", with(&wav, 4, &max), Sample(11)),
        ("wav: format of 4 GiB", with(&wav, 16, &max), Line("the file ends before its data")),
        ("wav: format of 0 bytes", with(&wav, 16, &[0; 4]), Line("a format of 0 bytes")),
        ("wav: no format", with(&wav, 12, b"junk"), Line("the data comes before its format")),
        ("wav: no data chunk", with(&wav, 36, b"junk"), Line("the file ends before its data")),
        ("wav: RF64", with(&wav, 0, b"RF64"), Line("it is an RF64 file; convert it")),
        ("wav: big-endian", with(&wav, 0, b"RIFX"), Line("it starts as none of them")),
        ("flac: 0 Hz", with(&flac, 18, &[0, 0, 0]), Line("")),
        ("flac: blocks of 0", with(&flac, 8, &[0; 4]), Line("")),
        ("flac: 68 billion samples", with(&flac, 22, &max), Line("it is cut short")),
        ("flac: unknown length", with(&flac, 21, &[0xf0, 0, 0, 0, 0]), Sample(16)),
        ("flac: metadata of 16 MB", with(&flac, 5, &[0xff; 3]), Line("")),
        ("flac: no metadata", with(&flac, 4, &[0xff; 38]), Line("")),
        ("flac: zeros in the middle", with(&flac, 1800, &[0; 300]), Line("")),
        ("ogg: 0 Hz", with(&ogg, vorbis + 12, &[0; 4]), Line("")),
        ("ogg: 4 GHz", with(&ogg, vorbis + 12, &max), Line("")),
        ("ogg: 0 channels", with(&ogg, vorbis + 11, &[0]), Line("")),
        ("ogg: 255 channels", with(&ogg, vorbis + 11, &[255]), Line("")),
        ("ogg: of something else", with(&ogg, vorbis, b"OpusHea"), Line("")),
        ("ogg: no second page", with(&ogg, 58, &[0; 4]), Line("")),
        ("aiff: 0 channels", with(&aiff, comm + 8, &[0; 2]), Line("")),
        ("aiff: 65,535 channels", with(&aiff, comm + 8, &[0xff; 2]), Line("")),
        // The length of its data is told twice, and right the other time.
        ("aiff: 4 billion samples", with(&aiff, comm + 10, &max), Sample(6)),
        ("aiff: 0 bits", with(&aiff, comm + 14, &[0; 2]), Line("")),
        ("aiff: a rate that is no number", with(&aiff, comm + 16, &[0xff; 10]), Line("")),
        ("aiff: 0 Hz", with(&aiff, comm + 16, &[0; 10]), Line("")),
        ("mp3: one frame header", b"\xff\xfb\x90\x00".to_vec(), Line("its MP3 data is broken")),
        ("mp3: a header of zeros", [&b"\xff\xfb\x90\x00"[..], &[0; 96]].concat(), Line("")),
        ("mp3: ID3 of 256 MB", [&b"ID3\x03\0\0\x7f\x7f\x7f\x7f"[..], &[0; 90]].concat(), Line("")),
        ("mp3: ID3 and nothing", b"ID3\x03\0\0\0\0\0\0\0\0".to_vec(), Line("MP3")),
        ("text", b"name,label\na.wav,dog\n".to_vec(), Line("it starts as none of them")),
        ("html", b"<!DOCTYPE html><html></html>".to_vec(), Line("it starts as none of them")),
        ("zeros", vec![0; 1000], Line("it starts as none of them")),
        ("ones", vec![0xff; 1000], Line("it starts as none of them")),
        ("empty", vec![], Line("it is empty")),
        ("a picture", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), Line("it starts as none of them")),
        ("MIDI", b"MThd\0\0\0\x06\0\x01\0\x02\0\x60".to_vec(), Line("it is a MIDI file; convert")),
        ("Matroska", b"\x1a\x45\xdf\xa3\0\0\0\0\0\0\0\0\0".to_vec(), Line("it is a Matroska")),
    ];
    let count = assert_all(files.map(|(name, bytes, comes)| (name.to_owned(), bytes, comes)));
    assert_eq!(count, 56);
    check_memory();
}

#[test]
fn extreme_samples_are_heard_or_named() {
    let folder = tempfile::tempdir().unwrap();
    let float = WavSpec { bits_per_sample: 32, sample_format: SampleFormat::Float, ..spec(8000) };
    let path = |samples: &[f32], spec| write(folder.path(), "a.wav", spec, samples.iter().copied());
    let ints = |samples: Vec<i16>, spec| write(folder.path(), "a.wav", spec, samples);

    for (bad, says) in [
        (f32::NAN, "sample 1 is NaN"),
        (f32::INFINITY, "sample 1 is inf"),
        (f32::NEG_INFINITY, "sample 1 is -inf"),
        (f32::MAX, "sample 1 is 340"),
    ] {
        assert_comes(says, &path(&[0., bad, 0.], float), Line(says));
    }
    assert_comes("subnormals", &path(&[f32::MIN_POSITIVE / 2.; 800], float), Sample(11));
    assert_comes("loud floats", &path(&[2e9; 800], float), Sample(11));
    let double = file("tone-double.wav");
    let at = double.windows(4).position(|w| w == b"data").unwrap() + 8;
    assert_all([
        ("f64 NaN".into(), with(&double, at, &f64::NAN.to_le_bytes()), Line("sample 0 is NaN")),
        ("f64 MAX".into(), with(&double, at, &f64::MAX.to_le_bytes()), Line("sample 0 is inf")),
    ]);
    assert_comes("nothing", &ints(vec![], spec(8000)), Line("it holds no samples"));
    assert_comes("one sample", &ints(vec![1], spec(8000)), Sample(1));
    assert_comes("one sample at 768 kHz", &ints(vec![1], spec(768_000)), Sample(1));
    assert_comes("silence", &ints(vec![0; 800], spec(8000)), Sample(11));
    assert_comes("full scale", &ints([i16::MIN, i16::MAX].repeat(400), spec(8000)), Sample(11));
    // Two seconds of eight channels at 192 kHz are as good as any.
    let studio = WavSpec { channels: 8, bits_per_sample: 32, ..spec(192_000) };
    let loud = (0..8 * 384_000).map(|n| (n / 8 % 1000 - 500) << 20);
    assert_comes("studio", &write(folder.path(), "a.wav", studio, loud), Sample(64));
    assert_comes("1 Hz", &ints(vec![100; 3], spec(1)), Sample(64));
    assert_comes("a prime rate", &ints(vec![100; 70_000], spec(767_957)), Sample(10));
    let many = WavSpec { channels: 1000, ..spec(8000) };
    assert_comes("1000 channels", &ints(vec![100; 8000], many), Sample(1));
    check_memory();
}

#[test]
fn places_that_are_no_recordings_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let good = write(folder.path(), "good.wav", spec(8000), tone(440., 8000, 800));

    assert_comes("a missing file", &at("none.wav"), Line("cannot be read: No such file"));
    assert_comes("a folder", folder.path(), Line("it is not a file"));
    assert_comes("a device", Path::new("/dev/null"), Line("it is not a file"));
    let (a, b) = (at("a.wav"), at("b.wav"));
    std::os::unix::fs::symlink(&a, &b).unwrap();
    std::os::unix::fs::symlink(&b, &a).unwrap();
    assert_comes("a loop of links", &a, Line("cannot be read: "));
    std::os::unix::fs::symlink(&good, at("link.wav")).unwrap();
    assert_comes("a link", &at("link.wav"), Sample(11));
    let name: PathBuf = folder.path().join(std::ffi::OsStr::from_bytes(b"\xff\xfe.wav"));
    if fs::copy(&good, &name).is_ok() {
        assert_comes("a name that is not UTF-8", &name, Sample(11));
    }
    assert_comes(
        "a file as a folder",
        &good.join("a.wav"),
        Line("cannot be read: Not a directory"),
    );
    for wrong in ["a.mp3", "a.flac", "a", "a.txt"] {
        fs::copy(&good, at(wrong)).unwrap();
        assert_comes("another ending", &at(wrong), Sample(11));
    }
    let secret = at("secret.wav");
    fs::copy(&good, &secret).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o0)).unwrap();
    // The superuser reads what he likes.
    if fs::File::open(&secret).is_err() {
        assert_comes("a secret", &secret, Line("cannot be read: Permission denied"));
    }
}

#[test]
fn any_byte_may_be_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let audio = AudioSettings::default();
    for name in ["tone.flac", "tone.ogg", "tone.mp3", "bare.mp3", "tone.aiff"] {
        let whole = file(name);
        for at in (0..whole.len()).step_by(if cfg!(debug_assertions) { 7 } else { 1 }) {
            fs::write(&path, with(&whole, at, &[whole[at] ^ 0x55])).unwrap();
            // Read or refused, in one line.
            if let Err(error) = audio.read(&Input::File(path.clone())) {
                let line = one_line(error.as_ref());
                assert!(line.len() < 300 && !line.contains('\n'), "{name}, byte {at}: {line}");
            }
        }
    }
}

//! Containers other than WAV, against soundfile's and ffmpeg's decoding.

use std::{fs, path::PathBuf};

use crosstune_audio::{AudioOptions, AudioSettings, Recording, RecordingError, resample};
use crosstune_core::{Checkpoint, Input, Modality, error::one_line};

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
    for name in [
        "tone.flac",
        "tone-24.flac",
        "tone.aiff",
        "tone.aifc",
        "tone-double.wav",
        "tone.au",
        "float.au",
        "mulaw.au",
        "mulaw.wav",
        "alaw.wav",
        "apple.m4a",
    ] {
        assert_eq!(read(name), decoded(name), "{name}");
    }
}

#[test]
fn what_is_packed_with_loss_is_decoded_alike() {
    for (name, within) in [
        ("tone.ogg", 1e-6),
        ("other.ogg", 1e-6),
        ("tone.mp3", 5e-6),
        ("vbr.mp3", 5e-6),
        ("tone.m4a", 1e-5),
        ("tone.aac", 1e-5),
    ] {
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
        ("tone.au", 16_000, 2, 800),
        ("alaw.wav", 16_000, 2, 800),
        ("tone.aifc", 16_000, 2, 800),
        ("tone.m4a", 16_000, 2, 2400),
        ("apple.m4a", 16_000, 2, 2400),
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
    let error = Recording::from_bytes(b"\0\0\0\x20ftypheic\0\0\0\0".to_vec()).unwrap_err();
    assert!(matches!(error, RecordingError::Foreign(_)));
    assert!(error.to_string().ends_with("it is a HEIF or AVIF picture"), "{error}");
}

fn heard(bytes: Vec<u8>) -> Vec<f32> {
    Recording::from_bytes(bytes).unwrap().read(usize::MAX).unwrap()
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(file(name)).unwrap()
}

#[test]
fn what_no_header_tells_is_counted() {
    for name in ["vbr.mp3", "bare.mp3", "tone.aac"] {
        let open = || Recording::open(&file(name)).unwrap();
        let samples = read(name).len() as u64;
        assert_eq!((open().samples(), open().count().unwrap()), (None, samples), "{name}");
        assert_eq!(open().verify().unwrap(), samples);
    }
    // Before the settings are settled, the training set's lengths are counted, too.
    let mut settings = AudioSettings::default();
    settings.survey(&[&Input::File(file("vbr.mp3"))]);
    assert_eq!(settings.options().frames(), 159);
}

#[test]
fn recordings_that_follow_each_other_are_all_heard() {
    let joined = |names: [&str; 3]| names.map(bytes).concat();
    let to_16 = |samples| resample(samples, 8000, 16_000).unwrap();
    let (tone, other) = (read("tone.ogg"), read("other.ogg"));
    for (names, expected) in [
        // The last two have one serial number, which a chain should not, but joined files do.
        (["other.ogg", "tone.ogg", "tone.ogg"], {
            let at_8: Vec<f32> = [&tone, &tone].into_iter().flatten().copied().collect::<Vec<_>>();
            [other.clone(), resample(at_8, 16_000, 8000).unwrap()].concat()
        }),
        (["tone.ogg", "other.ogg", "tone.ogg"], {
            [tone.clone(), to_16(other.clone()), tone.clone()].concat()
        }),
        (["tone.ogg", "tone.ogg", "other.ogg"], {
            [tone.clone(), tone.clone(), to_16(other.clone())].concat()
        }),
    ] {
        let open = || Recording::from_bytes(joined(names)).unwrap();
        let samples = open().read(usize::MAX).unwrap();
        assert_eq!(samples.len(), expected.len(), "{names:?}");
        assert!(furthest(&samples, &expected) < 1e-6, "{names:?}");
        assert_eq!(open().samples(), None);
        assert_eq!(open().count().unwrap(), expected.len() as u64);
        assert_eq!(open().read(3000).unwrap(), samples[..3000]);
    }
}

#[test]
fn what_stands_around_the_sound_is_passed_over() {
    let id3 = |length: u8| [&b"ID3\x03\0\0\0\0\0"[..], &[length], &vec![0; length.into()]].concat();
    let id3v1 = [&b"TAG"[..], &[b't'; 125]].concat();
    let ape = |flags: u32, item: &[u8]| {
        let size = (item.len() as u32 + 32).to_le_bytes();
        let footer = [
            b"APETAGEX",
            &[0xd0, 7, 0, 0][..],
            &size,
            &[1, 0, 0, 0],
            &flags.to_le_bytes(),
            &[0; 8],
        ];
        let header = if flags == 0 { vec![] } else { footer.concat() };
        [header, item.to_vec(), footer.concat()].concat()
    };
    let rubbish = |length: usize| (0..length).map(|i| (i * 7 % 251) as u8).collect::<Vec<_>>();
    for name in ["tone.flac", "tone-24.flac", "tone.mp3", "vbr.mp3", "tone.aac"] {
        for behind in [
            vec![],
            id3v1.clone(),
            ape(0, b""),
            ape(1 << 31, &[5; 400]),
            [ape(0, &[b'x'; 40]), id3v1.clone()].concat(),
        ] {
            for before in [vec![], id3(20), [id3(0), id3(100)].concat()] {
                let file = [&before[..], &bytes(name), &behind].concat();
                assert_eq!(heard(file), read(name), "{name}, {} behind", behind.len());
            }
        }
    }
    // Frames have no header before them, so that a stream may begin anywhere.
    for before in [
        vec![0; 700],
        b"RIFFxxxx".iter().chain([b' '; 100].iter()).copied().collect(),
        [id3(10), vec![0; 2000]].concat(),
        rubbish(60_000),
        b"ICY 200 OK\r\nicy-br:64\r\n\r\n".to_vec(),
    ] {
        for name in ["tone.mp3", "vbr.mp3"] {
            assert_eq!(heard([&before[..], &bytes(name)].concat()), read(name), "{name}");
        }
    }
}

#[test]
fn blocks_are_as_long_as_the_frames_say() {
    let flac = bytes("tone.flac");
    for least in [0_u16, 1, 15, 16, 4095] {
        let mut file = flac.clone();
        file[8..10].copy_from_slice(&least.to_be_bytes());
        assert_eq!(heard(file), read("tone.flac"), "{least}");
    }
}

#[test]
fn a_check_decodes_to_the_end_and_says_where_it_breaks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    // Of 0.15 s and more, a model that hears 0.02 s.
    let options =
        AudioOptions { frames: Some(1), sample_rate: Some(8000), ..AudioOptions::default() };
    let settings = AudioSettings::new(options).unwrap();
    let check = |file: &[u8]| {
        fs::write(&path, file).unwrap();
        settings.verify(&Input::File(path.clone())).map_err(|e| one_line(e.as_ref()))
    };
    let names = [
        "tone.flac",
        "tone.mp3",
        "vbr.mp3",
        "tone.ogg",
        "tone.aiff",
        "tone.aifc",
        "tone.au",
        "mulaw.wav",
        "tone.m4a",
        "apple.m4a",
        "tone.aac",
    ];
    for name in names {
        let whole = bytes(name);
        check(&whole).unwrap();
        for tenths in [6, 9] {
            let cut = whole.len() * tenths / 10;
            let line = check(&whole[..cut]).expect_err(name);
            // An index at the end; headers that are most of the file; a length that is compared with
            // the file's before anything is read.
            let untold = ["m4a", "tone.ogg", "aiff", "aifc"].iter().any(|end| name.ends_with(end));
            assert!(line.contains("cut short"), "{name} at {cut}: {line}");
            assert!(line.contains(" s: it is cut short") || untold, "{name} at {cut}: {line}");
        }
    }
    let joined = [bytes("tone.ogg"), bytes("other.ogg")].concat();
    let line = check(&joined[..joined.len() * 9 / 10]).unwrap_err();
    assert!(line.starts_with("its Ogg data is broken at 0.15 s: "), "{line}");
    // Damage in the last third, which the model does not hear.
    let mut broken = bytes("tone.flac");
    let at = broken.len() * 2 / 3;
    broken[at..at + 200].fill(0);
    let line = check(&broken).unwrap_err();
    assert!(line.contains("0.00 of 0.15 s: it is cut short"), "{line}");
    let mut loud = bytes("float.au");
    let end = loud.len() - 4;
    loud[end..].copy_from_slice(&f32::NAN.to_be_bytes());
    assert_eq!(check(&loud).unwrap_err().split(':').next(), Some("sample 799 is NaN"));
}

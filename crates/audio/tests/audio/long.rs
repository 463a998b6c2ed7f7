//! Long recordings: cut, cropped, in windows; and silence at their ends.

use crosstune_audio::{AudioOptions, AudioSettings, Long};
use crosstune_core::{Input, Modality, Pretrained, Rng};
use rand_chacha::rand_core::SeedableRng;
use tch::{IndexOp, Tensor};

use crate::{fixture, spec, tone, write};

fn settings(long: Long, overlap: Option<f64>) -> AudioSettings {
    let options = AudioOptions {
        sample_rate: Some(8000),
        frames: Some(50),
        long: Some(long),
        overlap,
        ..AudioOptions::default()
    };
    AudioSettings::new(options).unwrap()
}

/// A rising tone, so that no stretch is like another.
fn rising(folder: &tempfile::TempDir, length: usize) -> Input {
    let samples = (0..length).map(|n| (12_000. * (n as f64 * n as f64 * 2e-5).sin()) as i16);
    Input::File(write(folder.path(), &format!("{length}.wav"), spec(8000), samples))
}

#[test]
fn windows_cover_a_recording_and_are_alike_in_length() {
    let folder = tempfile::tempdir().unwrap();
    let input = rising(&folder, 16_000);
    let audio = settings(Long::Windows, None);
    // 50 frames see 4049 samples: 16,000 hold one every 2024, and one that ends with them.
    let windows = audio.windows(&audio.read(&input).unwrap());
    assert_eq!(windows.len(), 7);
    assert!(windows.iter().all(|window| window.x.size() == [50, 40]));
    let batch = audio.batch(&windows.iter().map(|window| &window.x).collect::<Vec<_>>());
    assert!(batch.attention_mask.is_none());
    // The first is what is heard of a recording that is cut.
    let cut = settings(Long::Cut, None);
    assert_eq!(windows[0].x, cut.read(&input).unwrap());
    // Those that a window is alone in are heard as a recording of that stretch is.
    let few = settings(Long::Windows, Some(0.));
    assert_eq!(few.windows(&few.read(&input).unwrap()).len(), 4);
    // A short recording is its own only window.
    let short = rising(&folder, 900);
    let windows = audio.windows(&audio.read(&short).unwrap());
    assert_eq!(windows.len(), 1);
    assert_eq!(windows[0].x, cut.read(&short).unwrap());
}

#[test]
fn training_hears_a_random_window() {
    let folder = tempfile::tempdir().unwrap();
    let input = rising(&folder, 16_000);
    for long in [Long::Windows, Long::Crop] {
        let audio = settings(long, None);
        let kept = audio.read_for_training(&input).unwrap();
        assert_eq!(kept.size(), [201, 40]);
        let vary = |seed| audio.augment(&kept, &mut Rng::seed_from_u64(seed));
        let starts: Vec<i64> = (0..40)
            .map(|seed| {
                let x = vary(seed);
                assert_eq!(x.size(), [50, 40]);
                (0..152).find(|&at| x == kept.i(at..at + 50)).expect("no stretch of it")
            })
            .collect();
        assert!(starts.iter().any(|&at| at < 40) && starts.iter().any(|&at| at > 110));
        assert_eq!(vary(3), vary(3));
        let short = audio.read_for_training(&rising(&folder, 900)).unwrap();
        assert_eq!(audio.augment(&short, &mut Rng::seed_from_u64(0)), short);
    }
}

#[test]
fn a_crop_is_the_middle_where_nothing_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let sample = settings(Long::Crop, None).read(&rising(&folder, 16_000)).unwrap();
    assert_eq!(sample.size(), [50, 40]);
    let whole = settings(Long::Crop, None).read_for_training(&rising(&folder, 16_000)).unwrap();
    // From sample 5975 on, between the places of two frames: 74.7.
    let far = |at: i64| (&sample - whole.i(at..at + 50)).abs().mean(None).double_value(&[]);
    let nearest = (0..151).min_by(|&a, &b| far(a).total_cmp(&far(b))).unwrap();
    assert_eq!(nearest, 75);
}

#[test]
fn models_of_sound_hear_windows_of_their_own_length() {
    let folder = tempfile::tempdir().unwrap();
    let input = rising(&folder, 16_000);
    for (file, size) in [("tiny-whisper", vec![40, 8]), ("tiny-ast", vec![24, 16])] {
        let mut audio =
            AudioSettings::new(AudioOptions { long: Some(Long::Windows), ..Default::default() })
                .unwrap();
        audio.adopt(&Pretrained::open(fixture(file)).unwrap()).unwrap();
        let windows = audio.windows(&audio.read(&input).unwrap());
        assert!(windows.len() > 5, "{file}: {}", windows.len());
        assert!(windows.iter().all(|window| window.x.size() == size), "{file}");
        assert_eq!(
            audio.batch(&windows.iter().map(|window| &window.x).collect::<Vec<_>>()).x.size()[1..],
            size
        );
    }
}

#[test]
fn silence_is_trimmed_before_the_rest_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let silence = |length| std::iter::repeat_n(0_i16, length);
    let samples = silence(8000).chain(tone(440., 8000, 4000)).chain(silence(8000));
    let padded = Input::File(write(folder.path(), "a.wav", spec(8000), samples));
    let bare = Input::File(write(folder.path(), "b.wav", spec(8000), tone(440., 8000, 4000)));
    let options = AudioOptions {
        sample_rate: Some(8000),
        frames: Some(64),
        trim_db: Some(40.),
        ..AudioOptions::default()
    };
    let audio = AudioSettings::new(options).unwrap();
    assert_eq!(audio.read(&padded).unwrap(), audio.read(&bare).unwrap());
    assert_eq!(audio.read_for_training(&padded).unwrap().size(), [51, 40]);
    let quiet = Input::File(write(folder.path(), "c.wav", spec(8000), silence(800)));
    assert_eq!(audio.read(&quiet).unwrap().size(), [11, 40]);
}

#[test]
fn choices_are_checked_and_kept() {
    let refused = |long, overlap| {
        let options = AudioOptions { long: Some(long), overlap, ..AudioOptions::default() };
        AudioSettings::new(options).unwrap_err().to_string()
    };
    assert_eq!(refused(Long::Windows, Some(1.)), "--overlap: expected 0 to 0.95, got 1");
    assert_eq!(
        refused(Long::Crop, Some(0.5)),
        "--overlap: there are windows to overlap only with --long windows"
    );
    let audio = settings(Long::Windows, Some(0.25));
    let saved = serde_json::to_string(&audio).unwrap();
    assert!(saved.contains(r#""long":"windows","overlap":0.25"#), "{saved}");
    let again: AudioSettings = serde_json::from_str(&saved).unwrap();
    assert_eq!(again.options(), audio.options());
    let _: Tensor = again.example().x;
}

//! What `mask` and `vary` do: nothing unless it is asked for, and the same for the same seed.

use crosstune_audio::{AudioOptions, AudioSettings, Augment, Long};
use crosstune_core::{Input, Modality, Rng};
use rand_chacha::rand_core::SeedableRng;
use tch::Tensor;

use crate::{fixture, spec, tone, write};

fn rng(seed: u64) -> Rng {
    Rng::seed_from_u64(seed)
}

fn settings(augment: Augment) -> AudioSettings {
    let options = AudioOptions {
        sample_rate: Some(8000),
        frames: Some(64),
        augment,
        ..AudioOptions::default()
    };
    AudioSettings::new(options).unwrap()
}

/// A second of a tone that begins after a tenth of silence.
fn input(folder: &tempfile::TempDir) -> Input {
    let samples = std::iter::repeat_n(0, 800).chain(tone(440., 8000, 7200));
    Input::File(write(folder.path(), "a.wav", spec(8000), samples))
}

#[test]
fn nothing_varies_unless_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (audio, input) = (settings(Augment::default()), input(&folder));
    let kept = audio.read_for_training(&input).unwrap();
    assert_eq!(kept, audio.read(&input).unwrap());
    let varied = audio.augment(&kept, &mut rng(1));
    assert_eq!(varied, kept);
    assert_eq!(varied.data_ptr(), kept.data_ptr(), "copied");
    assert_eq!(audio.windows(&kept).len(), 1);
}

#[test]
fn each_choice_varies_by_the_seed_alone() {
    let folder = tempfile::tempdir().unwrap();
    let input = input(&folder);
    for augment in [
        Augment { gain_db: Some(12.), ..Augment::default() },
        Augment { noise_db: Some(10.), ..Augment::default() },
        Augment { shift_ms: Some(200.), ..Augment::default() },
        Augment { masks: Some(2), ..Augment::default() },
    ] {
        let mut audio = settings(augment.clone());
        let kept = audio.read_for_training(&input).unwrap();
        audio.fit_normalization(&audio.moments(&kept).unwrap());
        let before = kept.copy();
        let [a, b, c] = [1, 1, 2].map(|seed| audio.augment(&kept, &mut rng(seed)));
        assert_eq!(a, b, "{augment:?}");
        assert_ne!(a, c, "{augment:?}");
        assert_ne!(a, audio.read(&input).unwrap(), "{augment:?}");
        assert_eq!(a.size(), [64, 40]);
        assert_eq!(kept, before, "{augment:?} changed what was kept");
        // The scale is that of what is heard, however training samples are kept.
        let mut plain = settings(Augment::default());
        let read = plain.read(&input).unwrap();
        plain.fit_normalization(&plain.moments(&read).unwrap());
        assert_eq!(audio.scale(), plain.scale());
        let again: AudioSettings =
            serde_json::from_str(&serde_json::to_string(&audio).unwrap()).unwrap();
        assert_eq!(again.options().augment, augment);
    }
}

#[test]
fn a_mask_hides_behind_the_mean_of_the_training_set() {
    let folder = tempfile::tempdir().unwrap();
    let (mut audio, input) =
        (settings(Augment { masks: Some(3), ..Augment::default() }), input(&folder));
    let kept = audio.read_for_training(&input).unwrap();
    audio.fit_normalization(&audio.moments(&kept).unwrap());
    let varied = audio.augment(&kept, &mut rng(5));
    let hidden = varied.ne_tensor(&kept);
    let scaled = audio.batch(&[&varied]).x.squeeze_dim(0);
    assert!(hidden.any().int64_value(&[]) == 1);
    assert!(scaled.masked_select(&hidden).abs().max().double_value(&[]) < 1e-5);
}

#[test]
fn models_of_sound_are_varied_too() {
    let folder = tempfile::tempdir().unwrap();
    let input = input(&folder);
    let augment = Augment {
        shift_ms: Some(50.),
        masks: Some(1),
        noise_db: Some(20.),
        gain_db: Some(3.),
        ..Augment::default()
    };
    for file in ["tiny-wav2vec2", "tiny-whisper", "tiny-ast", "tiny-honk/res8.pt"] {
        for long in [Long::Cut, Long::Crop, Long::Windows] {
            let options =
                AudioOptions { augment: augment.clone(), long: Some(long), ..Default::default() };
            let mut audio = AudioSettings::new(options).unwrap();
            let source = crosstune_core::Pretrained::open(fixture(file)).unwrap();
            audio.adopt(&source).unwrap();
            audio.survey(&[&input]);
            let kept = audio.read_for_training(&input).unwrap();
            assert_eq!(kept.dim(), 1);
            let [a, b] = [1, 1].map(|seed| audio.augment(&kept, &mut rng(seed)));
            assert_eq!(a, b);
            let windows = audio.windows(&audio.read(&input).unwrap());
            assert_eq!(a.size(), windows[0].x.size(), "{file} {long:?}");
            assert_eq!(a.isfinite().all().int64_value(&[]), 1);
            let batch = audio.batch(&[&a, &windows[0].x]);
            assert_eq!(batch.x.size()[0], 2);
        }
    }
}

#[test]
fn choices_out_of_range_are_named() {
    let refused = |augment| {
        let options = AudioOptions { augment, ..AudioOptions::default() };
        AudioSettings::new(options).unwrap_err().to_string()
    };
    let none = Augment::default();
    for (augment, says) in [
        (Augment { gain_db: Some(-1.), ..none.clone() }, "--gain: expected 0 to 60 dB, got -1"),
        (Augment { noise_db: Some(f64::NAN), ..none.clone() }, "--noise: expected -20 to 100 dB"),
        (Augment { shift_ms: Some(-3.), ..none.clone() }, "--shift: expected 0 to 60000 ms"),
        (Augment { masks: Some(21), ..none }, "--spec-augment: expected 0 to 20 masks, got 21"),
    ] {
        let error = refused(augment);
        assert!(error.starts_with(says), "{error}");
    }
}

#[test]
fn any_recording_can_be_varied() {
    let folder = tempfile::tempdir().unwrap();
    let augment = Augment {
        shift_ms: Some(500.),
        masks: Some(5),
        noise_db: Some(0.),
        gain_db: Some(20.),
        ..Augment::default()
    };
    for length in [1, 2, 79, 800] {
        let path = write(folder.path(), "a.wav", spec(8000), tone(440., 8000, length));
        for long in [Long::Cut, Long::Crop, Long::Windows] {
            let options =
                AudioOptions { augment: augment.clone(), long: Some(long), ..Default::default() };
            let audio = AudioSettings::new(options).unwrap();
            let kept = audio.read_for_training(&Input::File(path.clone())).unwrap();
            for seed in 0..20 {
                let x: Tensor = audio.augment(&kept, &mut rng(seed));
                assert_eq!(x.isfinite().all().int64_value(&[]), 1);
            }
        }
    }
}

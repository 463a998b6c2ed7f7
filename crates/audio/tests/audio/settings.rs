//! The modality: survey, samples, scale, batches.

use std::path::Path;

use crosstune_audio::{AudioOptions, AudioSettings, Normalization};
use crosstune_core::{
    FeatureShape, Features, Fresh, Input, Modality, Moments, Pretrained, VarBuilder,
    error::one_line,
};
use tch::{Device, IndexOp, Kind, Tensor, nn::VarStore};

use crate::{spec, tone, write};

fn settings(options: AudioOptions) -> AudioSettings {
    AudioSettings::new(options).unwrap()
}

fn at_8_khz() -> AudioSettings {
    settings(AudioOptions { sample_rate: Some(8000), frames: Some(64), ..AudioOptions::default() })
}

/// A recording of a tone.
fn recording(folder: &Path, name: &str, rate: u32, length: usize) -> Input {
    Input::File(write(folder, name, spec(rate), tone(440., rate, length)))
}

fn survey(settings: &mut AudioSettings, inputs: &[Input]) {
    settings.survey(&inputs.iter().collect::<Vec<_>>());
}

#[test]
fn milliseconds_become_samples() {
    let mel = at_8_khz().options().mel();
    assert_eq!((mel.window, mel.hop, mel.fft, mel.bands), (256, 80, 256, 40));
    let mel = AudioOptions::default().mel();
    assert_eq!((mel.sample_rate, mel.window, mel.hop), (16_000, 512, 160));
}

#[test]
fn a_survey_settles_rate_and_length() {
    let folder = tempfile::tempdir().unwrap();
    let record =
        |i: usize, rate, length| recording(folder.path(), &format!("{i}.wav"), rate, length);
    // 19 of half a second at 8 kHz, one of ten seconds at 44.1 kHz, and what is passed over.
    let mut inputs: Vec<_> = (0..19).map(|i| record(i, 8000, 4000)).collect();
    inputs.push(record(19, 44_100, 441_000));
    inputs.push(Input::File(folder.path().join("missing.wav")));
    inputs.push(Input::Text("hello".into()));

    let mut audio = settings(AudioOptions::default());
    survey(&mut audio, &inputs);
    assert_eq!(audio.options().sample_rate, Some(8000));
    assert_eq!(audio.options().frames, Some(51));

    // What was chosen stays, and a length is counted at the chosen rate.
    let mut audio = settings(AudioOptions { sample_rate: Some(4000), ..AudioOptions::default() });
    survey(&mut audio, &inputs[..20]);
    assert_eq!((audio.options().sample_rate, audio.options().frames), (Some(4000), Some(51)));
    let mut audio = settings(AudioOptions { frames: Some(7), ..AudioOptions::default() });
    survey(&mut audio, &inputs);
    assert_eq!((audio.options().sample_rate, audio.options().frames), (Some(8000), Some(7)));

    // Both are kept in range.
    let mut audio = settings(AudioOptions::default());
    survey(&mut audio, &inputs[19..20]);
    assert_eq!((audio.options().sample_rate, audio.options().frames), (Some(16_000), Some(512)));
    let mut audio = settings(AudioOptions::default());
    survey(&mut audio, &[record(20, 100, 3)]);
    assert_eq!((audio.options().sample_rate, audio.options().frames), (Some(1000), Some(16)));

    // Of two rates that are as common, the higher one.
    let mut audio = settings(AudioOptions::default());
    survey(&mut audio, &[record(21, 8000, 800), record(22, 11_025, 800)]);
    assert_eq!(audio.options().sample_rate, Some(11_025));

    // Nothing readable settles nothing.
    let mut audio = settings(AudioOptions::default());
    survey(&mut audio, &inputs[20..]);
    assert_eq!(audio.options(), &AudioOptions::default());
}

#[test]
fn reading_resamples_and_cuts() {
    let folder = tempfile::tempdir().unwrap();
    let audio = at_8_khz();
    let sample =
        |rate, length| audio.read(&recording(folder.path(), "a.wav", rate, length)).unwrap();
    assert_eq!(sample(8000, 4000).size(), [51, 40]);
    assert_eq!(sample(8000, 4000).kind(), Kind::Float);
    assert_eq!(sample(44_100, 22_050).size(), [51, 40]);
    assert_eq!(sample(8000, 80_000).size(), [64, 40]);
    assert_eq!(sample(8000, 1).size(), [1, 40]);
    assert_eq!(sample(44_100, 1).size(), [1, 40]);
    // What is cut off leaves no trace, at the same rate and at another.
    for rate in [8000, 11_025, 44_100, 48_000] {
        let second = rate as usize;
        assert_eq!(sample(rate, second), sample(rate, 20 * second), "{rate} Hz");
    }
    // A tone within both rates' reach looks alike at both, away from the edges.
    let (low, high) = (sample(8000, 8000), sample(44_100, 44_100));
    let tone_band = 9; // 440 Hz is 549.6 mel, at 10.5 of 41 edges
    let difference = (low - high).i((5..59, tone_band)).abs().max().double_value(&[]);
    assert!(difference < 0.01, "{difference}");

    let error = audio.read(&Input::Text("hello".into())).unwrap_err();
    assert_eq!(error.to_string(), "a text, where the path of a recording is expected");
    let error = audio.read(&Input::File(folder.path().join("none.wav"))).unwrap_err();
    assert!(one_line(error.as_ref()).starts_with("cannot be read: "), "{error}");
}

#[test]
fn a_batch_is_padded_and_tells_what_it_keeps() {
    let mut audio = at_8_khz();
    let [a, b, c] = [3, 5, 2].map(|t| Tensor::randn([t, 40], (Kind::Float, Device::Cpu)) * 3 - 8);
    let equal = audio.batch(&[&a, &a]);
    assert!(equal.attention_mask.is_none());
    assert_eq!(equal.x, Tensor::stack(&[&a, &a], 0));

    let moments = [&a, &b, &c].map(|x| audio.moments(x).unwrap());
    audio.fit_normalization(&moments.into_iter().collect());
    let batch = audio.batch(&[&a, &b, &c]);
    assert_eq!((batch.x.size(), batch.x.kind()), (vec![3, 5, 40], Kind::Float));
    let mask = batch.attention_mask.unwrap();
    assert_eq!((mask.size(), mask.kind()), (vec![3, 5], Kind::Bool));
    assert_eq!(mask.i(0), Tensor::from_slice(&[true, true, true, false, false]));
    assert_eq!(mask.sum(Kind::Int64).int64_value(&[]), 10);
    // Real frames are on the scale, padding is zero.
    assert_eq!(batch.x.i((0, 3..)).abs().max().double_value(&[]), 0.);
    let frames = batch.x.masked_select(&mask.unsqueeze(-1)).view([-1, 40]);
    let (variance, mean) = frames.var_mean_correction(0, 0, false);
    assert!(mean.abs().max().double_value(&[]) < 1e-5);
    assert!((variance - 1.).abs().max().double_value(&[]) < 1e-4);
}

#[test]
fn a_scale_measures_many_samples_and_leaves_silence_alone() {
    let samples: Vec<_> = (1..600)
        .map(|t| {
            let x = Tensor::randn([t % 7 + 1, 40], (Kind::Float, Device::Cpu)) * 2 - 9;
            let _ = x.i((.., 3)).fill_(f64::from(1e-6_f32.ln()));
            x
        })
        .collect();
    let moments = samples.iter().map(Normalization::moments).collect();
    let scale = Normalization::of(&moments).unwrap();
    let (variance, mean) = Tensor::cat(&samples, 0).var_mean_correction(0, 0, false);
    assert!(Tensor::from_slice(&scale.mean).allclose(&mean, 1e-5, 1e-5, false));
    assert_eq!(scale.std[3], 1.);
    let _ = variance.i(3).fill_(1.);
    assert!(Tensor::from_slice(&scale.std).allclose(&variance.sqrt(), 1e-4, 1e-5, false));
    assert_eq!(Normalization::of(&Moments::default()), None);
}

#[test]
fn silence_trains_without_a_nan() {
    let folder = tempfile::tempdir().unwrap();
    let silence = Input::File(write(folder.path(), "a.wav", spec(8000), [0_i16; 4000]));
    let mut audio = at_8_khz();
    let sample = audio.read(&silence).unwrap();
    audio.fit_normalization(&audio.moments(&sample).unwrap());
    let x = audio.batch(&[&sample]).x;
    assert!(x.abs().max().double_value(&[]) < 1e-5);
}

#[test]
fn settings_survive_being_saved() {
    let folder = tempfile::tempdir().unwrap();
    let mut audio = settings(AudioOptions::default());
    let again = |audio: &AudioSettings| -> AudioSettings {
        serde_json::from_str(&serde_json::to_string(audio).unwrap()).unwrap()
    };
    assert_eq!(again(&audio).options(), audio.options());
    let input = recording(folder.path(), "a.wav", 11_025, 11_025);
    audio.survey(&[&input]);
    let read = audio.read(&input).unwrap();
    audio.fit_normalization(&audio.moments(&read).unwrap());
    let other = again(&audio);
    assert_eq!((other.options(), other.scale()), (audio.options(), audio.scale()));
    let (a, b) = (audio.read(&input).unwrap(), other.read(&input).unwrap());
    assert_eq!(audio.batch(&[&a]).x, other.batch(&[&b]).x);

    for (saved, says) in [
        (r#"{"bands": 0}"#, "--bands: expected 1 to 512, got 0"),
        (r#"{"bands": 2, "scale": {"mean": [0], "deviation": [1, 1]}}"#, "scale: expected 2 means"),
        (r#"{"bands": 1, "scale": {"mean": [0], "deviation": [0]}}"#, "scale: expected 1 means"),
    ] {
        let error = serde_json::from_str::<AudioSettings>(saved).unwrap_err().to_string();
        assert!(error.starts_with(says), "{error}");
    }
}

#[test]
fn settings_of_older_run_folders_open() {
    let saved = r#"{"sample_rate": 8000, "window_ms": 32.0, "hop_ms": 10.0, "bands": 2,
        "frames": 30, "scale": {"mean": [0, 1], "deviation": [1, 2]}}"#;
    let audio: AudioSettings = serde_json::from_str(saved).unwrap();
    assert_eq!((audio.options().bands(), audio.options().frames()), (2, 30));
    assert_eq!(audio.scale().unwrap().mean, [0., 1.]);
}

#[test]
fn an_option_out_of_range_is_named() {
    let with = |change: fn(&mut AudioOptions)| {
        let mut options = AudioOptions::default();
        change(&mut options);
        AudioSettings::new(options).unwrap_err().to_string()
    };
    assert_eq!(with(|o| o.bands = Some(0)), "--bands: expected 1 to 512, got 0");
    assert_eq!(with(|o| o.hop_ms = Some(0.)), "--hop-ms: expected 1 to 32 ms (the window), got 0");
    assert_eq!(
        with(|o| o.hop_ms = Some(33.)),
        "--hop-ms: expected 1 to 32 ms (the window), got 33"
    );
    assert_eq!(
        with(|o| o.window_ms = Some(f64::NAN)),
        "--window-ms: expected 4 to 1000 ms, got NaN"
    );
    assert_eq!(with(|o| o.frames = Some(0)), "--frames: expected 1 to 8192, got 0");
    assert_eq!(
        with(|o| o.sample_rate = Some(0)),
        "--sample-rate: expected 1000 to 192000 Hz, got 0"
    );
}

#[test]
fn every_option_in_range_is_possible_at_every_rate() {
    for sample_rate in [1_000, 1_001, 8_000, 11_025, 192_000] {
        for (window_ms, hop_ms) in [(4., 1.), (4., 4.), (1000., 1.), (1000., 1000.)] {
            for bands in [1, 512] {
                let options = AudioOptions {
                    sample_rate: Some(sample_rate),
                    window_ms: Some(window_ms),
                    hop_ms: Some(hop_ms),
                    bands: Some(bands),
                    frames: Some(1),
                    ..AudioOptions::default()
                };
                settings(options);
            }
        }
    }
}

#[test]
fn the_embedder_takes_a_batch() {
    let audio = at_8_khz();
    let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
    let form = FeatureShape::Sequence { width: 24 };
    let embedder = audio.embedder(VarBuilder::root(&store, &fresh).sub("embed"), form).unwrap();
    assert_eq!(embedder.emits(), form);
    let [a, b] = [64, 9].map(|t| Tensor::randn([t, 40], (Kind::Float, Device::Cpu)));
    let Features::Sequence(sequence) = embedder.embed(&audio.batch(&[&a, &b]), false) else {
        panic!("not a sequence")
    };
    assert_eq!(sequence.x.size(), [2, 64, 24]);
    assert_eq!(sequence.attention_mask.unwrap().size(), [2, 64]);
    assert_eq!(store.variables()["embed.project.weight"].size(), [24, 40]);
    assert_eq!(store.variables()["embed.position"].size(), [1, 64, 24]);
}

#[test]
fn planes_see_a_spectrogram_as_a_picture() {
    let audio = at_8_khz();
    let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
    let form = FeatureShape::FeatureMap { channels: 8 };
    let embedder = audio.embedder(VarBuilder::root(&store, &fresh).sub("embed"), form).unwrap();
    assert_eq!(embedder.emits(), form);
    let [a, b] = [64, 9].map(|t| Tensor::randn([t, 40], (Kind::Float, Device::Cpu)));
    let Features::FeatureMap(planes) = embedder.embed(&audio.batch(&[&a, &b]), true) else {
        panic!("not planes")
    };
    assert_eq!(planes.size(), [2, 8, 40, 64]);
    assert_eq!(store.variables()["embed.conv.weight"].size(), [8, 1, 3, 3]);
}

#[test]
fn a_picture_of_a_recording_does_not_hang_on_its_batch() {
    let folder = tempfile::tempdir().unwrap();
    let design = folder.path().join("design.json");
    let stage = r#"{"blocks": 1, "width": 8, "stride": 1}"#;
    let resnet = format!(r#"{{"trunk": {{"resnet": {{"planes": 8, "stages": [{stage}]}}}}}}"#);
    std::fs::write(&design, resnet).unwrap();
    let mut audio = at_8_khz();
    audio.adopt(&Pretrained::open(design).unwrap()).unwrap();
    // Far from zero, as log-mel frames are.
    let [a, b] = [40, 9].map(|t| Tensor::randn([t, 40], (Kind::Float, Device::Cpu)) - 5.);
    let moments = [&a, &b].map(|x| audio.moments(x).unwrap());
    audio.fit_normalization(&moments.into_iter().collect());
    let together = audio.batch(&[&a, &b]).x;
    assert_eq!(together.i(1), audio.batch(&[&b]).x.i(0));
    assert_eq!(together.i(1).i(9..).abs().max().double_value(&[]), 0.);
}

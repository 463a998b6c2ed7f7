//! What frames hold, for a model that was not trained on sound.

use crosstune_audio::{
    AudioOptions, AudioSettings, FrameFeatures, KaldiConfig, KaldiMel, Mfcc, MfccLog,
};
use crosstune_core::{Input, Modality};
use tch::Tensor;

use crate::{spec, tone, write};

fn options(features: FrameFeatures) -> AudioOptions {
    let features = Some(features);
    AudioOptions { features, sample_rate: Some(8000), frames: Some(64), ..AudioOptions::default() }
}

#[test]
fn frames_hold_what_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.wav", spec(8000), tone(440., 8000, 800));
    let samples: Vec<f32> = tone(440., 8000, 800).map(|s| f32::from(s) / 32_768.).collect();
    let kaldi = KaldiMel::new(KaldiConfig { bands: 40, ..KaldiConfig::new(8000) }).unwrap();
    let mel = AudioOptions { sample_rate: Some(8000), ..AudioOptions::default() }.mel();
    let mfcc = Mfcc::new(mel, 13, MfccLog::Decibels).unwrap();
    for (features, width, want) in [
        (FrameFeatures::Fbank, 40, kaldi.compute(&samples)),
        (FrameFeatures::Mfcc, 13, mfcc.compute(&samples)),
    ] {
        let mut audio = AudioSettings::new(options(features)).unwrap();
        let sample = audio.read(&Input::File(path.clone())).unwrap();
        assert_eq!(sample, Tensor::from_slice(&want).view([-1, width]), "{features}");
        // Brought to a scale, kept in a run folder, and shown to an embedder in that width.
        audio.fit_normalization(&audio.moments(&sample).unwrap());
        assert_eq!(audio.scale().unwrap().mean.len(), width as usize);
        let json = serde_json::to_string(&audio).unwrap();
        let again: AudioSettings = serde_json::from_str(&json).unwrap();
        assert_eq!(again.options().features(), features);
        assert_eq!(again.example().x.size(), [1, 64, width]);
        let short = sample.narrow(0, 0, 3);
        let batch = again.batch(&[&sample, &short]);
        assert_eq!(batch.x.size(), [2, sample.size()[0], width]);
        assert!(batch.attention_mask.is_some(), "the shorter one is padded");
    }
}

#[test]
fn what_means_nothing_for_the_features_is_refused() {
    let refused = |options| AudioSettings::new(options).unwrap_err().to_string();
    for (wrong, says) in [
        (
            AudioOptions { coefficients: Some(13), ..options(FrameFeatures::LogMel) },
            "--coefficients: there are cepstral coefficients only with --features mfcc",
        ),
        (
            AudioOptions { coefficients: Some(41), ..options(FrameFeatures::Mfcc) },
            "--coefficients: expected 1 to 40 (the bands), got 41",
        ),
        (
            AudioOptions { window_ms: Some(30.), ..options(FrameFeatures::Fbank) },
            "--window-ms: Kaldi's windows have 25 ms, one every 10 ms; leave it out",
        ),
    ] {
        assert_eq!(refused(wrong), says);
    }
    // Fewer bands than the usual number of coefficients leave fewer of those.
    let few = AudioOptions { bands: Some(5), ..options(FrameFeatures::Mfcc) };
    assert_eq!(AudioSettings::new(few).unwrap().example().x.size(), [1, 64, 5]);
}

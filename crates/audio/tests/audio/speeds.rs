//! Recordings played at other speeds, and masks over what a model makes of the waveform.

use crosstune_audio::{AudioOptions, AudioSettings, Augment};
use crosstune_core::{Device, Input, Modality, Model, Pretrained, Rng, Task};
use hound::{SampleFormat, WavSpec};
use rand_chacha::rand_core::SeedableRng;

use crate::{computed_in, fixture, spec, write};

fn adopted(augment: Augment, frames: usize) -> AudioSettings {
    let options = AudioOptions { augment, frames: Some(frames), ..AudioOptions::default() };
    let mut audio = AudioSettings::new(options).unwrap();
    audio.adopt(&Pretrained::open(fixture("tiny-wav2vec2-ctc")).unwrap()).unwrap();
    audio.set_task(Task::Transcription).unwrap();
    audio
}

#[test]
fn recordings_are_played_at_speeds_as_torchaudio_plays_them() {
    let folder = tempfile::tempdir().unwrap();
    let wave = computed_in("speeds.safetensors", "wave");
    let floats =
        WavSpec { bits_per_sample: 32, sample_format: SampleFormat::Float, ..spec(16_000) };
    let input = Input::File(write(folder.path(), "a.wav", floats, wave.clone()));
    for speed in ["0.9", "1.1"] {
        let augment = Augment { speeds: vec![speed.parse().unwrap()], ..Augment::default() };
        let audio = adopted(augment, 100);
        assert!(audio.augments());
        let kept = audio.read_for_training(&input).unwrap();
        assert_eq!(Vec::<f32>::try_from(&kept).unwrap(), wave);
        let played: Vec<f32> = audio.augment(&kept, &mut Rng::seed_from_u64(0)).try_into().unwrap();
        let want = computed_in("speeds.safetensors", speed);
        assert_eq!(played.len(), want.len());
        let far = played.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0., f32::max);
        assert!(far < 2e-6, "{speed}: {far:e}");
    }
    // Each is drawn; and what would no longer fit is left as it is.
    let speeds = vec![0.9, 1., 1.1];
    let audio = adopted(Augment { speeds: speeds.clone(), ..Augment::default() }, 100);
    let kept = audio.read_for_training(&input).unwrap();
    let lengths = |audio: &AudioSettings| {
        let length = |seed| audio.augment(&kept, &mut Rng::seed_from_u64(seed)).size()[0];
        let mut lengths: Vec<i64> = (0..40).map(length).collect();
        lengths.sort_unstable();
        lengths.dedup();
        lengths
    };
    assert_eq!(lengths(&audio), [1455, 1600, 1778]);
    assert_eq!(lengths(&adopted(Augment { speeds, ..Augment::default() }, 80)), [1455, 1600]);
    let augment = Augment { speeds: vec![3.], ..Augment::default() };
    let error = AudioSettings::new(AudioOptions { augment, ..Default::default() }).unwrap_err();
    assert_eq!(error.to_string(), "--speed: expected 0.5 to 2, got 3");
}

#[test]
fn what_a_model_makes_of_the_waveform_is_masked_in_training_alone() {
    let built = |masks| {
        let mut audio = adopted(Augment { masks, ..Augment::default() }, 100);
        let source = Pretrained::open(fixture("tiny-wav2vec2-ctc")).unwrap();
        let source = source.with_dropout(0.).unwrap();
        let unnamed = |_, _| panic!("its symbols are known");
        Model::pretrained(&source, &mut audio, unnamed, Device::Cpu).unwrap()
    };
    let (masked, plain) = (built(Some(2)), built(None));
    let batch = crosstune_core::Batch {
        x: tch::Tensor::randn([2, 1600], crate::FLOAT),
        attention_mask: None,
    };
    let logits = |model: &Model, train| tch::no_grad(|| model.classifier().forward(&batch, train));
    assert_eq!(logits(&masked, false), logits(&plain, false));
    assert_eq!(logits(&plain, true), logits(&plain, false));
    assert_ne!(logits(&masked, true), logits(&masked, false));
    // It is no parameter.
    assert_eq!(masked.store().variables().len(), plain.store().variables().len());
}

//! Trunks of pictures learn from recordings, of which they see the spectrogram.

use std::path::{Path, PathBuf};

use crosstune_audio::AudioSettings;
use crosstune_core::{
    Device, FitOptions, Freeze, Input, LoadParts, Modality, Model, Pretrained, Trainer, seed,
};
use tch::Tensor;

/// Takes a few steps on two digits with the trunk of a model of pictures.
fn learns(name: &str) {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "../image/tests/fixtures", name].iter().collect();
    let source = Pretrained::open(path).unwrap();
    let mut audio = AudioSettings::default();
    let embedder = audio.adopt(&source).unwrap();
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/digits/test");
    let speakers = ["caribbean-m4_0", "gb-klatt4_0", "us-f5_0", "us-f5_1"];
    let inputs: Vec<_> = (0..8)
        .map(|i| samples.join(format!("{}_{}.wav", i % 2, speakers[i / 2])))
        .map(Input::File)
        .collect();
    audio.survey(&inputs.iter().collect::<Vec<_>>());
    let samples: Vec<_> = inputs.iter().map(|input| audio.read(input).unwrap()).collect();
    audio.fit_normalization(&samples.iter().filter_map(|x| audio.moments(x)).collect());
    let batch = audio.batch(&samples.iter().collect::<Vec<_>>());
    let targets = Tensor::from_slice(&[0_i64, 1, 0, 1, 0, 1, 0, 1]).into();

    seed(1);
    let spec = AudioSettings::spec(&source, embedder, vec!["zero".into(), "one".into()]);
    let tensors = source.source().unwrap();
    let loaded = Some((&tensors, LoadParts::Body));
    let model = Model::new(spec, &audio, loaded, Device::Cpu).unwrap();
    Freeze::nothing().apply(model.store(), model.outline()).unwrap();
    let options = FitOptions { lr: 3e-3, pretrained_lr: 3e-3, ..FitOptions::default() };
    let mut trainer = Trainer::new(&model, &options, 12);
    let losses: Vec<f64> = (0..12).map(|_| trainer.step(&batch, &targets).unwrap().loss).collect();
    assert!(losses[11] < 0.9 * losses[0], "{name}: {losses:?}");
}

#[test]
fn trunks_of_convolutions_learn_from_recordings() {
    learns("tiny-regnet-y");
    learns("tiny-densenet-timm");
    learns("tiny-bit");
}

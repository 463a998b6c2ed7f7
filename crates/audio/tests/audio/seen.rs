//! Networks that were trained on pictures learn from recordings.

use std::path::Path;

use crosstune_audio::{AudioOptions, AudioSettings};
use crosstune_core::{
    Device, FitOptions, Freeze, Input, LoadParts, Modality, Model, Pretrained, Trainer, seed,
};
use tch::Tensor;

use crate::fixture;

#[test]
fn the_loss_of_a_convnext_and_an_efficientnet_falls_on_speech() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/digits/train");
    let names = ["0_gb-f4_0", "1_caribbean-m6_0", "0_caribbean-m6_0", "1_gb-f4_0"];
    let inputs = names.map(|name| Input::File(folder.join(format!("{name}.wav"))));
    for name in ["tiny-convnext-hf", "tiny-efficientnet-timm"] {
        seed(3);
        let source = format!("../../../image/tests/fixtures/{name}");
        let source = Pretrained::open(fixture(&source)).unwrap();
        let mut audio = AudioSettings::new(AudioOptions::default()).unwrap();
        let origin = audio.adopt(&source).unwrap();
        audio.survey(&inputs.each_ref());
        let samples = inputs.each_ref().map(|input| audio.read(input).unwrap());
        audio.fit_normalization(&samples.iter().filter_map(|x| audio.moments(x)).collect());
        let batch = audio.batch(&samples.each_ref());
        let spec = AudioSettings::spec(&source, origin, ["zero", "one"].map(String::from).into());
        let tensors = source.source().unwrap();
        let taken = Some((&tensors, LoadParts::Body));
        let model = Model::new(spec, &audio, taken, Device::Cpu).unwrap();
        Freeze::nothing().apply(model.store(), model.outline()).unwrap();
        let options = FitOptions { lr: 3e-3, pretrained_lr: 3e-3, ..FitOptions::default() };
        let mut trainer = Trainer::new(&model, &options, 20);
        let target = Tensor::from_slice(&[0i64, 1, 0, 1]).into();
        let losses: Vec<f64> =
            (0..20).map(|_| trainer.step(&batch, &target).unwrap().loss).collect();
        assert!(losses[19] < 0.8 * losses[0], "{name}: {losses:?}");
    }
}

//! Mixed precision beside PyTorch's autocast, and what is kept in bf16.

use std::collections::HashMap;

use crosstune_core::{
    Batch, Error, Features, FitOptions, LoadParts, Modality, Model, Precision, Pretrained,
    RunWriter, ScheduleKind, Sequence, Target, Targets, Trainer, run,
};
use crosstune_image::ImageSettings;
use crosstune_text::TextSettings;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use crate::support::{root, seeded, tiny_bert};

/// Losses of two implementations in bf16, as a share: a step of bf16 is 0.4 %, and theirs is up to 0.2 %
/// from their own f32.
const LOSS_WITHIN: f64 = 1e-2;

/// Activations, as a share of the largest.
const WITHIN: f64 = 2e-2;

fn expected(folder: &str) -> HashMap<String, Tensor> {
    let path = root().join(folder).join("expected.safetensors");
    Tensor::read_safetensors(path).unwrap().into_iter().collect()
}

fn alike(got: &Tensor, want: &Tensor, what: &str) {
    assert_eq!(got.kind(), want.kind(), "{what}");
    let (got, want) = (got.to_kind(Kind::Double), want.to_kind(Kind::Double));
    let far = (got - &want).abs().max() / want.abs().max();
    assert!(far.double_value(&[]) < WITHIN, "{what}: {far}");
}

/// Steps of AdamW at a constant rate, in this precision.
fn losses(model: &Model, batch: &Batch, labels: &Tensor, precision: Precision) -> Vec<f64> {
    let options = FitOptions {
        lr: 1e-3,
        pretrained_lr: 1e-3,
        warmup: 0.,
        schedule: ScheduleKind::Constant,
        precision,
        ..FitOptions::default()
    };
    model.set_precision(precision).unwrap();
    let mut trainer = Trainer::new(model, &options, 6);
    let targets: Vec<i64> = labels.try_into().unwrap();
    let targets: Vec<Target> = targets.into_iter().map(|at| Target::Class(at as usize)).collect();
    let targets = Targets::stack(&targets).to_device(batch.x.device());
    (0..6).map(|_| trainer.step(batch, &targets).unwrap().loss).collect()
}

/// What `xtask/scripts/fixtures/autocast.py` has computed, at first and in six steps.
fn as_in_pytorch(build: impl Fn() -> Model, batch: &Batch, expected: &HashMap<String, Tensor>) {
    let model = build();
    model.set_precision(Precision::Bf16).unwrap();
    let classifier = model.classifier();
    let kept = |features: Features| match features {
        Features::Sequence(Sequence { x, .. }) | Features::FeatureMap(x) => x,
    };
    tch::no_grad(|| {
        alike(&kept(classifier.embed(batch, false)), &expected["embedded"], "embedded");
        alike(&classifier.forward(batch, false), &expected["logits"], "logits");
    });
    for (precision, name) in [(Precision::Bf16, "losses"), (Precision::F32, "losses_f32")] {
        let got = losses(&build(), batch, &expected["labels"], precision);
        let want = Vec::<f64>::try_from(expected[name].to_kind(Kind::Double)).unwrap();
        let within = if precision == Precision::F32 { 1e-5 } else { LOSS_WITHIN };
        let near = |(got, want): (&f64, &f64)| (got / want - 1.).abs() < within;
        assert!(got.iter().zip(&want).all(near), "{precision}: {got:?} {want:?}");
    }
}

#[test]
fn a_transformer_of_text_trains_as_under_autocast() {
    let expected = expected("crates/text/tests/fixtures/tiny-bert-autocast");
    let source = Pretrained::open(tiny_bert()).unwrap().with_dropout(0.).unwrap();
    let build = || {
        let mut sentences = TextSettings::default();
        let embedder = sentences.adopt(&source).unwrap();
        let labels = ["a", "b", "c"].map(String::from).to_vec();
        let spec = TextSettings::spec(&source, embedder, labels);
        let weights = source.source().unwrap();
        let from = Some((&weights, LoadParts::Body));
        let model = seeded(0, || Model::new(spec, &sentences, from, Device::Cpu).unwrap());
        tch::no_grad(|| {
            for (name, mut value) in model.store().variables() {
                if let Some(name) = name.strip_prefix("head.") {
                    value.copy_(&expected[name]);
                }
            }
        });
        model
    };
    let mask = expected["mask"].to_kind(Kind::Bool);
    let batch = Batch { x: expected["ids"].shallow_clone(), attention_mask: Some(mask) };
    as_in_pytorch(build, &batch, &expected);
}

#[test]
fn a_transformer_of_pictures_trains_as_under_autocast() {
    let expected = expected("crates/image/tests/fixtures/tiny-vit-autocast");
    let path = root().join("crates/image/tests/fixtures/tiny-vit");
    let source = Pretrained::open(path).unwrap().with_dropout(0.).unwrap();
    let build = || {
        let mut pictures = ImageSettings::default();
        let unnamed = |_, _| panic!("the classes are published");
        Model::pretrained(&source, &mut pictures, unnamed, Device::Cpu).unwrap()
    };
    let batch = Batch { x: expected["pixels"].shallow_clone(), attention_mask: None };
    as_in_pytorch(build, &batch, &expected);
}

/// A tiny BERT whose trunk and embedder are kept in bf16.
fn halved(sentences: &mut TextSettings) -> (Pretrained, Model) {
    let source = Pretrained::open(tiny_bert()).unwrap();
    let embedder = sentences.adopt(&source).unwrap();
    let spec = TextSettings::spec(&source, embedder, vec!["a".into(), "b".into()]);
    let weights = source.source().unwrap();
    let from = Some((&weights, LoadParts::Body));
    let model = Model::with_halved(spec, sentences, from, Device::Cpu, &|_| true).unwrap();
    drop(weights);
    (source, model)
}

#[test]
fn what_is_kept_in_bf16_is_saved_with_every_digit() {
    let mut sentences = TextSettings::default();
    let (source, model) = halved(&mut sentences);
    let half = |t: &&Tensor| t.kind() == Kind::BFloat16;
    assert!(model.store().variables().values().filter(half).count() > 10);
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("run");

    let writer = RunWriter::create(&place, false).unwrap();
    let refused = writer.finish(&model, &sentences, &Value::Null).unwrap_err();
    assert!(refused.to_string().contains("is to be saved from its source"), "{refused}");
    assert!(!place.exists());

    let weights = source.source().unwrap();
    let writer = RunWriter::create(&place, false).unwrap();
    assert_eq!(writer.finish_from(&weights, &model, &sentences, &Value::Null).unwrap(), 0);
    let (saved, _) = run::open::<TextSettings>(&place, Device::Cpu).unwrap();
    for (name, value) in saved.store().variables() {
        let want = match name.starts_with("head.") {
            true => model.store().variables()[&name].shallow_clone(),
            false => weights.tensor(&name, &value.size()).unwrap(),
        };
        assert!(value.equal(&want), "{name}");
    }
    // It computes in no other precision, and does not train.
    let refused = model.set_precision(Precision::F32).unwrap_err().to_string();
    assert_eq!(refused, "--precision: f32: the model's frozen parts are kept in bf16");
}

#[test]
fn f16_is_for_gpus() {
    let (_, model) = halved(&mut TextSettings::default());
    assert!(matches!(model.set_precision(Precision::F16), Err(Error::Setting { .. })));
    let refused = Precision::F16.check(Device::Cpu).unwrap_err().to_string();
    assert!(refused.contains("take bf16"), "{refused}");
    assert!(Precision::F16.check(Device::Cuda(0)).is_ok());
}

/// Where there is a GPU: both precisions train on it as f32 does, and what is frozen is kept in half.
#[test]
fn a_gpu_computes_in_both() {
    if !tch::Cuda::is_available() {
        return;
    }
    let device = Device::Cuda(0);
    let expected = expected("crates/image/tests/fixtures/tiny-vit-autocast");
    let path = root().join("crates/image/tests/fixtures/tiny-vit");
    let source = Pretrained::open(path).unwrap().with_dropout(0.).unwrap();
    let build = |precision| {
        let (unnamed, mut pictures) = (|_, _| panic!("published"), ImageSettings::default());
        Model::pretrained_in(&source, &mut pictures, unnamed, device, precision).unwrap()
    };
    let x = expected["pixels"].to_device(device);
    let batch = Batch { x, attention_mask: None };
    let labels = &expected["labels"];
    let plain = losses(&build(Precision::F32), &batch, labels, Precision::F32);
    for precision in [Precision::Bf16, Precision::F16] {
        let got = losses(&build(Precision::F32), &batch, labels, precision);
        let near = |(got, want): (&f64, &f64)| (got / want - 1.).abs() < LOSS_WITHIN;
        assert!(got.iter().zip(&plain).all(near), "{precision}: {got:?} {plain:?}");
        let model = build(precision);
        let logits = tch::no_grad(|| model.classifier().forward(&batch, false));
        alike(
            &logits.to_device(Device::Cpu).to_kind(Kind::BFloat16),
            &expected["logits"],
            "logits",
        );
    }
}

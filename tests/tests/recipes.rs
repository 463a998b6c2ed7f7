//! Recipes beside plain PyTorch.

use std::collections::HashMap;

use crosstune_core::{
    DEFAULT_MEMORY, Dataset, FeatureShape, FitOptions, LoadParts, Modality, Model, Overrides,
    Pretrained, ReadMode, Recipe, Samples, Splits, fit,
};
use crosstune_text::TextSettings;
use tch::{Device, Kind, Tensor};

use crate::support::{root, seeded, tiny_bert};

/// `xtask/scripts/fixtures/lp_ft.py` trains the head, then all of it, on every sentence at each step.
#[test]
fn a_probe_before_fine_tuning_goes_as_in_pytorch() {
    let folder = root().join("crates/text/tests/fixtures/tiny-bert-lp-ft");
    let expected: HashMap<String, Tensor> =
        Tensor::read_safetensors(folder.join("expected.safetensors"))
            .unwrap()
            .into_iter()
            .collect();
    let source = Pretrained::open(tiny_bert()).unwrap().with_dropout(0.).unwrap();
    let mut sentences = TextSettings::default();
    let embedder = sentences.adopt(&source).unwrap();
    let layout = TextSettings::layout();
    let data = Dataset::open(folder.join("sentences.tsv"), &layout).unwrap();
    let (splits, _) = Splits::read(&mut sentences, &data, DEFAULT_MEMORY, || ()).unwrap();
    let spec = TextSettings::spec(&source, embedder, data.labels);
    let key_map = source.source().unwrap();
    let source = Some((&key_map, LoadParts::Body));
    let model = seeded(0, || Model::new(spec, &sentences, source, Device::Cpu).unwrap());
    tch::no_grad(|| {
        for (name, mut value) in model.store().variables() {
            if let Some(name) = name.strip_prefix("head.") {
                value.copy_(&expected[name]);
            }
        }
    });

    let choices = Overrides { pretrained_lr: Some(1e-3), ..Overrides::default() };
    let form = FeatureShape::Sequence { width: 32 };
    let plan = Recipe::LpFt.plan(model.outline(), form, 9, choices).unwrap();
    let batch_size = data.train.len();
    let options = plan.apply(FitOptions { epochs: 9, batch_size, ..FitOptions::default() });
    let none = Samples::default();
    let history = fit(&model, &sentences, &splits.train, &none, &options, &mut |_| Ok(())).unwrap();

    let losses: Vec<_> = history.epochs.iter().map(|epoch| epoch.train_loss).collect();
    let off = |of: &Tensor, name: &str| {
        (of - &expected[name]).abs().max().to_kind(Kind::Double).double_value(&[])
    };
    let far = off(&Tensor::from_slice(&losses), "losses");
    assert!(far < 1e-5, "{far}: {losses:?}");
    let samples = splits.train.subset(&sentences, ReadMode::Training, batch_size).unwrap();
    let batch = sentences.batch(&samples.iter().collect::<Vec<_>>());
    let far = off(&tch::no_grad(|| model.classifier().forward(&batch, false)), "logits");
    assert!(far < 1e-5, "{far}");
}

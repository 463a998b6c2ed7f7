//! A weighted sum of all layers: in training, with and without the cache of frozen layers.

use std::collections::BTreeMap;

use crosstune_audio::{AudioOptions, AudioSettings};
use crosstune_core::{
    Batch, CutPoint, Device, FitOptions, Freeze, Item, LoadParts, MemoryBudget, Modality, Model,
    Origin, Pool, Pretrained, ReadMode, Samples, Target, fit,
};
use tch::{Kind, Tensor};

use crate::{fixture, spec, tone, write};

/// A model of a fixture with a new head over all layers.
fn model(file: &str, audio: &mut AudioSettings, pool: Pool, freeze: &str) -> Model {
    let source = Pretrained::open(fixture(file)).unwrap().with_dropout(0.).unwrap();
    assert_eq!(audio.adopt(&source).unwrap(), Origin::Pretrained);
    let spec = AudioSettings::spec(&source, Origin::Pretrained, vec!["low".into(), "high".into()]);
    let spec = spec.with_head(pool, source.config().head.config);
    let tensors = source.source().unwrap();
    let model = Model::new(spec, audio, Some((&tensors, LoadParts::Body)), Device::Cpu).unwrap();
    freeze.parse::<Freeze>().unwrap().apply(model.store(), model.outline()).unwrap();
    model
}

/// A waveform of 240 samples and one of 150, or frames.
fn batch(file: &str) -> Batch {
    let path = fixture(file).join("expected.safetensors");
    let expected = crosstune_core::Checkpoint::open(path).unwrap();
    let x = ["waveform", "frames"].iter().find_map(|name| expected.tensor(name).ok()).unwrap();
    let mask = expected.tensor("mask").ok().map(|mask| mask.to_kind(Kind::Bool));
    Batch { x, attention_mask: mask }
}

#[test]
fn every_cut_gives_the_same_answer() {
    let _grad = tch::no_grad_guard();
    for file in ["tiny-wavlm", "tiny-wavlm-large", "tiny-wav2vec2-bert", "tiny-whisper"] {
        for pool in [Pool::WeightedLayers, Pool::WeightedBlocks, Pool::Mean] {
            let mut audio = AudioSettings::new(AudioOptions::default()).unwrap();
            let model = model(file, &mut audio, pool, "none");
            let (classifier, batch) = (model.classifier(), batch(file));
            let want = classifier.forward(&batch, false);
            let cuts = [0, 1, 2].map(CutPoint::Trunk);
            for cut in cuts.into_iter().chain([CutPoint::Pooled]) {
                let kept = classifier.forward_to(&batch, cut);
                let got = classifier.forward_from(&kept, cut, false).x;
                // Sums over what lies otherwise in memory are rounded otherwise.
                let far = (got - &want).abs().max().double_value(&[]);
                assert!(far < 1e-6, "{file}, {pool}, {cut:?}: {far:e}");
            }
            let features = classifier.features(&batch, false);
            assert_eq!(features.size(), [2, classifier.encoder().width()], "{file}, {pool}");
        }
    }
}

type Parameters = BTreeMap<String, Tensor>;

fn parameters(model: &Model) -> Parameters {
    model.store().variables().into_iter().map(|(name, x)| (name, x.copy())).collect()
}

/// What a training leaves: all parameters, and the logits of its recordings. It starts where the one
/// before started: other tests draw from libtorch's generator at the same time.
fn trained(freeze: &str, cached: bool, start: &mut Option<Parameters>) -> (Parameters, Tensor) {
    let folder = tempfile::tempdir().unwrap();
    let item = |i: usize| {
        let (hz, class) = if i.is_multiple_of(2) { (300., 0) } else { (2000., 1) };
        let recording = tone(hz + 10. * i as f64, 16_000, 400 + 30 * (i % 5));
        let path = write(folder.path(), &format!("{i}.wav"), spec(16_000), recording);
        Item { target: Target::Class(class), ..Item::file(&path) }
    };
    let items: Vec<Item> = (0..12).map(item).collect();
    let mut audio = AudioSettings::new(AudioOptions::default()).unwrap();
    let model = model("tiny-wav2vec2", &mut audio, Pool::WeightedLayers, freeze);
    let start = start.get_or_insert_with(|| parameters(&model));
    for (name, mut value) in model.store().variables() {
        tch::no_grad(|| value.copy_(&start[&name]));
    }
    audio.survey(&items.iter().map(|item| &item.input).collect::<Vec<_>>());
    let mut budget = MemoryBudget::default();
    let (samples, bad) = Samples::read(&audio, &items, ReadMode::Training, &mut budget, || ());
    assert!(bad.is_empty());
    let usual = FitOptions { epochs: 3, batch_size: 4, lr: 3e-3, ..FitOptions::default() };
    let cache_budget = usual.cache_budget.clone().filter(|_| cached);
    let options = FitOptions { cache_budget, ..usual };
    fit(&model, &audio, &samples, &Samples::default(), &options, &mut |_| Ok(())).unwrap();
    let heard: Vec<Tensor> = items.iter().map(|item| audio.read(&item.input).unwrap()).collect();
    let batch = audio.batch(&heard.iter().collect::<Vec<_>>());
    let logits = tch::no_grad(|| model.classifier().forward(&batch, false));
    (parameters(&model), logits)
}

#[test]
fn the_cache_of_frozen_layers_changes_nothing() {
    // Where blocks train, too, sums are rounded otherwise, and AdamW brings a gradient that is nothing
    // but rounding (that of a key's bias is) to its own scale: the answers are compared.
    for (freeze, within) in [("embedder,trunk", 1e-6), ("embedder,below:1", 1e-4)] {
        let mut start = None;
        let (cached, computed) =
            (trained(freeze, true, &mut start), trained(freeze, false, &mut start));
        let weights = &computed.0["head.layer_weights"];
        assert_eq!(weights.size(), [3]);
        assert!((weights - 1. / 3.).abs().max().double_value(&[]) > 1e-3, "they are learnt");
        let far = (&cached.1 - &computed.1).abs().max().double_value(&[]);
        assert!(far < within, "{freeze}: answers differ by {far:e}");
        for (name, value) in computed.0.iter().filter(|_| freeze.ends_with("trunk")) {
            let far = (&cached.0[name] - value).abs().max().double_value(&[]);
            assert!(far < within, "{freeze}: {name} differs by {far:e}");
        }
    }
}

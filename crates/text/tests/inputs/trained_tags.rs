//! Trainings on words that are labelled one by one, on trunks of all kinds.

use std::path::{Path, PathBuf};

use crosstune_core::{
    CacheBudget, Device, FitOptions, Freeze, Input, Item, LoadParts, Location, MemoryBudget,
    Modality, Model, Pretrained, ReadMode, Samples, Spec, Target, Task, fit,
};
use crosstune_text::TextSettings;

fn fixture(path: &str) -> PathBuf {
    let (modality, name) = path.split_once('/').unwrap();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    crates.join(format!("{modality}/tests/fixtures/{name}"))
}

/// Sentences of 1 to 24 words, of which those with an `a` have another label.
fn items() -> Vec<Item> {
    let words = ["the", "cat", "sat", "on", "mats", "", "unbelievable", "dogs"];
    let item = |at: usize| {
        let length = 1 + (at * 7) % 24;
        let words: Vec<String> = (0..length).map(|i| words[(at + i * i) % 8].into()).collect();
        let target =
            Target::Tags(words.iter().map(|word| usize::from(word.contains('a'))).collect());
        let place = Location { path: Path::new("inputs").into(), line: Some(at as u64 + 1) };
        Item { target, ..Item::new(Input::Words(words), place) }
    };
    (0..24).map(item).collect()
}

/// What is kept of frozen parts has its words with it, also of sentences in windows.
#[test]
fn features_that_are_cached_give_the_same_losses() {
    for source in ["text/tiny-bert", "audio/tiny-wav2vec2", "image/tiny-resnet-cifar/resnet.th"] {
        let source = Pretrained::open(fixture(source)).unwrap();
        let mut settings = TextSettings::new(Some(24));
        settings.set_task(Task::Tagging).unwrap();
        let embedder = settings.adopt(&source).unwrap();
        let items = items();
        settings.survey(&items.iter().map(|item| &item.input).collect::<Vec<_>>());
        assert!(settings.augments(), "there are sentences in windows");
        let [train, validation] = [ReadMode::Training, ReadMode::Inference].map(|mode| {
            let (samples, bad) =
                Samples::read(&settings, &items, mode, &mut MemoryBudget::default(), || ());
            assert!(bad.is_empty(), "{bad:?}");
            samples
        });
        let labels = ["O", "B-A"].map(String::from).to_vec();
        let build = || {
            let spec = TextSettings::spec(&source, embedder, labels.clone());
            let spec: Spec = spec.for_task(Task::Tagging, train.targets()).unwrap();
            let weights = source.source().unwrap();
            let from = Some((&weights, LoadParts::Body));
            let model = Model::new(spec, &settings, from, Device::Cpu).unwrap();
            let frozen: Freeze = "embedder,trunk".parse().unwrap();
            frozen.apply(model.store(), model.outline()).unwrap();
            model
        };
        let models = [build(), build()];
        let ours = models[0].store().variables();
        for (name, mut value) in models[1].store().variables() {
            tch::no_grad(|| value.copy_(&ours[&name]));
        }
        let losses = |model: &Model, cache_budget| -> Vec<f64> {
            let options = FitOptions {
                epochs: 3,
                batch_size: 5,
                views: 3,
                cache_budget,
                ..FitOptions::default()
            };
            let fitted = fit(model, &settings, &train, &validation, &options, &mut |_| Ok(()));
            let epochs = fitted.unwrap().epochs.into_iter();
            epochs
                .flat_map(|epoch| [Some(epoch.train_loss), epoch.validation_loss])
                .flatten()
                .collect()
        };
        let cached = losses(&models[0], Some(CacheBudget::default()));
        let again = losses(&models[1], None);
        assert_eq!((cached.len(), again.len()), (6, 6));
        for (cached, again) in cached.iter().zip(&again) {
            let far = (cached - again).abs();
            assert!(far < 1e-4, "{}: {cached} and {again}", source.config().name);
        }
    }
}

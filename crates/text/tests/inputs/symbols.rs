//! Sentences for trunks that never saw text: a ViT, an AST and a ResNet, on which a fresh embedder of
//! bytes or characters is trained, saved and opened again.

use std::path::{Path, PathBuf};

use crosstune_core::{
    BadSample, Device, FitOptions, Freeze, Input, Item, LoadParts, Location, MemoryBudget,
    Modality, Model, Origin, Pretrained, ReadMode, RunWriter, Samples, Target, Trainer, evaluate,
    fit, run, seed,
};
use crosstune_text::{TextSettings, Units};
use tch::Tensor;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// Sentences about two things, told apart by a word.
fn items() -> Vec<Item> {
    let names = ["Anna", "Борис", "Chloë", "大輔", "Eve", "Ферн", "Gil", "花子"];
    let verbs = ["sees", "likes", "draws", "feeds"];
    let item = |text: String, label| {
        let place = Location { path: std::path::Path::new("x").into(), line: None };
        Item { target: Target::Class(label), ..Item::text(text, place) }
    };
    let sentences = names.into_iter().flat_map(|name| {
        verbs.into_iter().flat_map(move |verb| {
            [(format!("{name} {verb} a cat"), 0), (format!("{name} {verb} the moon"), 1)]
        })
    });
    sentences.map(|(text, label)| item(text, label)).collect()
}

fn read(settings: &TextSettings, items: &[Item]) -> (Samples, Vec<BadSample>) {
    Samples::read(settings, items, ReadMode::Inference, &mut MemoryBudget::default(), || ())
}

/// Trains on a trunk, and returns the share that the reopened model gets right.
fn learnt(source: &str, units: Units, epochs: usize) -> f64 {
    let source = Pretrained::open(fixture(source)).unwrap();
    let mut settings = TextSettings::new(Some(40)).with_units(Some(units));
    assert_eq!(settings.adopt(&source).unwrap(), Origin::Fresh);
    let items = items();
    settings.survey(&items.iter().map(|item| &item.input).collect::<Vec<_>>());
    let (samples, bad) = read(&settings, &items);
    assert!(bad.is_empty());

    seed(1);
    let spec = TextSettings::spec(&source, Origin::Fresh, vec!["cat".into(), "moon".into()]);
    let key_map = source.source().unwrap();
    let model =
        Model::new(spec, &settings, Some((&key_map, LoadParts::Body)), Device::Cpu).unwrap();
    assert!(model.report().fresh.contains(&"embed.token.weight".to_string()));
    Freeze::default().apply(model.store(), model.outline()).unwrap();
    let options = FitOptions { epochs, batch_size: 8, lr: 3e-3, ..FitOptions::default() };
    fit(&model, &settings, &samples, &Samples::default(), &options, &mut |_| Ok(())).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("run");
    RunWriter::create(&place, false).unwrap().finish(&model, &settings, &()).unwrap();
    let (opened, settings) = run::open::<TextSettings>(&place, Device::Cpu).unwrap();
    let (again, _) = read(&settings, &items);
    let all =
        |samples: &Samples| samples.subset(&settings, ReadMode::Inference, usize::MAX).unwrap();
    assert_eq!(all(&again), all(&samples));
    evaluate(&opened, &settings, &again, 8).unwrap().primary_metric()
}

#[test]
fn a_trunk_of_pictures_reads_bytes() {
    let accuracy = learnt("image/tests/fixtures/tiny-vit", Units::Bytes, 8);
    assert!(accuracy > 0.95, "{accuracy}");
}

#[test]
fn a_trunk_whose_positions_lie_on_a_grid_reads_bytes() {
    let accuracy = learnt("image/tests/fixtures/tiny-dinov3", Units::Bytes, 16);
    assert!(accuracy > 0.7, "{accuracy}");
}

#[test]
fn a_trunk_of_sounds_reads_characters() {
    let accuracy = learnt("audio/tests/fixtures/tiny-ast", Units::Characters, 8);
    assert!(accuracy > 0.95, "{accuracy}");
}

#[test]
fn conformers_and_gated_biases_read_characters() {
    for source in ["tiny-wav2vec2-bert", "tiny-wavlm"] {
        let accuracy = learnt(&format!("audio/tests/fixtures/{source}"), Units::Characters, 16);
        assert!(accuracy > 0.75, "{source}: {accuracy}");
    }
}

#[test]
fn a_trunk_of_planes_reads_bytes() {
    let accuracy = learnt("image/tests/fixtures/tiny-resnet-hf-basic", Units::Bytes, 16);
    assert!(accuracy > 0.95, "{accuracy}");
}

#[test]
fn the_loss_of_other_trunks_of_planes_falls() {
    for name in ["tiny-regnet-y", "tiny-densenet-timm", "tiny-swin"] {
        let source = Pretrained::open(fixture(&format!("image/tests/fixtures/{name}"))).unwrap();
        let mut settings = TextSettings::new(Some(40)).with_units(Some(Units::Bytes));
        let embedder = settings.adopt(&source).unwrap();
        let items = items();
        let inputs: Vec<_> = items[..8].iter().map(|item| &item.input).collect();
        settings.survey(&inputs);
        let samples: Vec<_> = inputs.iter().map(|input| settings.read(input).unwrap()).collect();
        let batch = settings.batch(&samples.iter().collect::<Vec<_>>());
        let targets = Tensor::from_slice(&[0_i64, 1, 0, 1, 0, 1, 0, 1]).into();
        seed(1);
        let spec = TextSettings::spec(&source, embedder, vec!["cat".into(), "moon".into()]);
        let key_map = source.source().unwrap();
        let loaded = Some((&key_map, LoadParts::Body));
        let model = Model::new(spec, &settings, loaded, Device::Cpu).unwrap();
        Freeze::nothing().apply(model.store(), model.outline()).unwrap();
        let options = FitOptions { lr: 3e-3, pretrained_lr: 3e-3, ..FitOptions::default() };
        let mut trainer = Trainer::new(&model, &options, 20);
        let losses: Vec<f64> =
            (0..20).map(|_| trainer.step(&batch, &targets).unwrap().loss).collect();
        // Of one with stochastic depth, not every step tells.
        let least = losses[16..].iter().copied().fold(f64::INFINITY, f64::min);
        assert!(least < 0.9 * losses[0], "{name}: {losses:?}");
    }
}

#[test]
fn units_are_refused_where_there_is_a_tokenizer() {
    let source = Pretrained::open(fixture("text/tests/fixtures/tiny-bert")).unwrap();
    let mut settings = TextSettings::default().with_units(Some(Units::Characters));
    let error = settings.adopt(&source).unwrap_err().to_string();
    assert!(error.starts_with("--units: the model brings a tokenizer along"), "{error}");
}

#[test]
fn pairs_of_symbols_have_a_separator() {
    let source = Pretrained::open(fixture("image/tests/fixtures/tiny-vit")).unwrap();
    let mut settings = TextSettings::new(Some(5));
    settings.adopt(&source).unwrap();
    let pair = Input::Pair(["ab".into(), "cdefg".into()]);
    settings.survey(&[&pair]);
    let sample = Vec::<i64>::try_from(settings.read(&pair).unwrap()).unwrap();
    assert_eq!(sample, [99, 100, 1, 101, 102]);
    assert_eq!(settings.example().x.size(), [1, 5]);
}

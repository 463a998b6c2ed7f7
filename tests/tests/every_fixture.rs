//! Every tiny model that the crates' tests hold goes everywhere: to each modality, where it trains, to
//! a run folder and back, and to its own library's format and back. New ones are found by themselves.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use crosstune_audio::{AudioOptions, AudioSettings};
use crosstune_core::predict::{ExplainMethod, ExplainOptions, ExplainTarget, explain};
use crosstune_core::{
    Batch, Checkpoint, Device, FitOptions, Freeze, Input, Item, LoadParts, Location, MemoryBudget,
    Modality, Model, Origin, Pool, Precision, Pretrained, ReadMode, RunWriter, Samples, Spec,
    Target, export, families, fit, run,
};
use crosstune_image::{ImageOptions, ImageSettings};
use crosstune_text::{TextSettings, Units};
use serde_json::Value;
use tch::{Kind, Tensor};

use crate::support::{root, seeded};

/// Those that do not open alone, by design.
const CLOSED: [&str; 2] = ["tiny-timm-vit-bare", "tiny-whisper-weighted"];

/// Logits before and after a round trip.
const WITHIN: f64 = 1e-5;

/// Logits in bf16 beside f32: a network with random batch norms multiplies what was rounded.
const BF16_WITHIN: f64 = 0.1;

/// How far the parts of an input may be from what they should add up to, as a share of that.
const TOLERANCE: f64 = 0.01;

/// Models that are exported must come to at least so many.
const EXPORTED: usize = 5;

/// All fixtures of all crates: a folder in Hugging Face layout, or each file that is a model.
pub(crate) fn sources() -> Vec<PathBuf> {
    let folders = ["audio", "image", "text"].into_iter().flat_map(|modality| {
        let fixtures = root().join(format!("crates/{modality}/tests/fixtures"));
        fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path())
    });
    let tiny = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("tiny-") && !CLOSED.contains(&name)
    };
    let models = |folder: PathBuf| {
        let whole = ["model.safetensors", "pytorch_model.bin", "adapter_config.json"];
        if whole.iter().any(|file| folder.join(file).exists()) {
            return vec![folder];
        }
        let weights = ["safetensors", "pth", "pt", "th", "bin", "npz"].map(OsStr::new);
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let is_model = |path: &PathBuf| {
            let expected = path.file_name() == Some(OsStr::new("expected.safetensors"));
            !expected && path.extension().is_some_and(|end| weights.contains(&end))
        };
        files.filter(is_model).collect()
    };
    let mut all: Vec<PathBuf> = folders.filter(tiny).flat_map(models).collect();
    all.sort();
    assert!(all.len() > 20, "{all:?}");
    all
}

/// Pseudo-random bytes, always the same.
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..count).map(|_| next()).collect()
}

/// Half a second of noise, which is louder in one class.
fn recording(class: usize, seed: u64) -> Input {
    recorded(class, seed, 8000)
}

/// The same of so many samples, at 16 kHz.
pub(crate) fn recorded(class: usize, seed: u64, count: usize) -> Input {
    let samples = noise(seed, count).into_iter();
    let samples = samples.map(|x| (i16::from(x) - 128) * [8, 128][class]);
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let number = |n: usize| (n as u32).to_le_bytes();
    let mut wav =
        [&b"RIFF"[..], &number(36 + data.len()), b"WAVEfmt \x10\0\0\0\x01\0\x01\0"].concat();
    wav.extend([16_000, 32_000].map(number).concat());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend(number(data.len()));
    wav.extend(data);
    Input::Bytes { name: "noise.wav".into(), bytes: wav.into() }
}

/// A picture of noise, which is brighter in one class.
pub(crate) fn picture(class: usize, seed: u64) -> Input {
    const SIDE: usize = 32;
    let mut bmp = b"BM".to_vec();
    let bytes = 3 * SIDE * SIDE;
    let numbers = [54 + bytes, 0, 54, 40, SIDE, SIDE, 1 + (24 << 16), 0, 0, 0, 0, 0, 0, 0];
    bmp.extend(numbers.iter().flat_map(|&n| (n as u32).to_le_bytes()));
    bmp.extend(noise(seed, bytes).into_iter().map(|x| x / 2 + [0, 128][class]));
    Input::Bytes { name: "noise.bmp".into(), bytes: bmp.into() }
}

/// A sentence about one of two things.
fn sentence(class: usize, seed: u64) -> Input {
    let who = ["Anna", "Борис", "Chloë", "大輔"][seed as usize % 4];
    Input::Text(format!("{who} sees {}", ["a cat", "the moon"][class]))
}

/// Trains a source on a modality, and takes the result to a run folder and back; where it is exported,
/// to that and back, too, and tells so.
fn goes<M: Modality>(
    path: &Path,
    settings: impl Fn() -> M,
    input: impl Fn(usize, u64) -> Input,
) -> bool {
    let mut modality = settings();
    let shown = format!("{} on {}", path.display(), M::SAMPLES);
    // Without chance the loss of the same samples falls.
    let source =
        Pretrained::open(path).and_then(|source| source.with_dropout(0.)?.with_drop_path(0.));
    let source = source.unwrap_or_else(|e| panic!("{shown}: {e}"));
    let embedder = modality.adopt(&source).unwrap_or_else(|e| panic!("{shown}: {e}"));
    let item = |at: usize| {
        let place = Location { path: Path::new("inputs").into(), line: Some(at as u64 + 1) };
        Item { target: Target::Class(at % 2), ..Item::new(input(at % 2, at as u64), place) }
    };
    let items: Vec<Item> = (0..6).map(item).collect();
    modality.survey(&items.iter().map(|item| &item.input).collect::<Vec<_>>());
    let read = |items: &[Item]| {
        let memory = &mut MemoryBudget::default();
        let (samples, bad) = Samples::read(&modality, items, ReadMode::Training, memory, || ());
        assert!(bad.is_empty(), "{shown}: {bad:?}");
        samples
    };
    let (train, none) = (read(&items), read(&[]));
    modality.fit_normalization(train.moments());

    let head = &source.config().head;
    let labels = ["heron", "stork"].map(String::from).to_vec();
    let mut spec = M::spec(&source, embedder, labels);
    // A head that answers at every position has no answer for the whole.
    if embedder == Origin::Pretrained && head.pool != Pool::Positions {
        spec = spec.with_head(head.pool, head.config);
    }
    let weights = source.source().unwrap();
    let from = Some((&weights, LoadParts::Body));
    let windows = |item: &Item| modality.windows(&modality.read(&item.input).unwrap());
    let samples: Vec<Tensor> = items.iter().flat_map(windows).map(|window| window.x).collect();
    let batch = modality.batch(&samples.iter().collect::<Vec<_>>());
    in_bf16(&source, spec.clone(), &modality, &train, &batch, &shown);
    let model = seeded(1, || Model::new(spec, &modality, from, Device::Cpu));
    let model = model.unwrap_or_else(|e| panic!("{shown}: {e}"));
    is_explained(&model, &modality, &items[0].input, &shown);
    let options = FitOptions {
        epochs: 4,
        batch_size: 6,
        lr: 3e-3,
        pretrained_lr: 1e-3,
        ..FitOptions::default()
    };
    let fitted = fit(&model, &modality, &train, &none, &options, &mut |_| Ok(()));
    let epochs = fitted.unwrap_or_else(|e| panic!("{shown}: {e}")).epochs;
    let losses: Vec<f64> = epochs.iter().map(|epoch| epoch.train_loss).collect();
    assert!(losses.iter().all(|loss| loss.is_finite()), "{shown}: {losses:?}");
    assert!(losses[1..].iter().any(|loss| *loss < losses[0]), "{shown}: {losses:?}");

    let want = logits(&model, &batch);
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("run");
    let writer = RunWriter::create(&place, false).unwrap();
    writer.finish(&model, &modality, &Value::Null).unwrap();
    let (again, _) = run::open::<M>(&place, Device::Cpu).unwrap_or_else(|e| panic!("{shown}: {e}"));
    same(&want, &logits(&again, &batch), &shown);

    // A class for tasks may have another head than a body alone is given.
    let is_body = source.classes().unwrap().is_none();
    let (family, own) = (&source.config().name, source.config().modality == M::NAME);
    if embedder == Origin::Fresh || !own || is_body || !exports(family) {
        return false;
    }
    let place = folder.path().join("published");
    match export::hugging_face(&model, &modality, &place) {
        Ok(()) => {}
        // No class of the library has this model's parts.
        Err(e) if e.is_usage_error() => return false,
        Err(e) => panic!("{shown}: {e}"),
    }
    let source = Pretrained::open(&place).unwrap_or_else(|e| panic!("{shown}, exported: {e}"));
    let unnamed = |_, _| panic!("{shown}: the classes are published");
    let again = Model::pretrained(&source, &mut settings(), unnamed, Device::Cpu);
    let again = again.unwrap_or_else(|e| panic!("{shown}, exported: {e}"));
    same(&want, &logits(&again, &batch), &format!("{shown}, exported"));
    true
}

/// The axiom of completeness: what the parts of an input add comes to what the answer differs by from that
/// of the baseline, and no parameter has a gradient afterwards.
fn is_explained<M: Modality>(model: &Model, modality: &M, input: &Input, shown: &str) {
    let asked = ExplainTarget::Label(1);
    let options = ExplainOptions {
        method: ExplainMethod::IntegratedGradients { steps: 12, tolerance: TOLERANCE },
        ..ExplainOptions::default()
    };
    let of = explain(model, modality, input, &asked, &options);
    let of = of.unwrap_or_else(|e| panic!("{shown}, explained: {e}"));
    let difference = of.score - of.baseline_score.unwrap();
    let sum = of.attributions.values().iter().sum::<f64>() + of.rest;
    let bound = TOLERANCE * difference.abs() + 2e-5 * (of.score.abs() + 1.);
    assert!(of.converged, "{shown}: {} of {difference} after {} steps", of.residual, of.steps);
    assert!((sum - difference).abs() <= bound, "{shown}: {sum}, not {difference}");
    assert!((sum - difference - of.residual).abs() < 1e-9, "{shown}");
    assert!(of.attributions.values().iter().any(|value| value.abs() > 1e-9), "{shown}");
    let none = model.store().variables().values().all(|value| !value.grad().defined());
    assert!(none, "{shown}: gradients are left");
}

/// Logits of frozen weights that are kept in bf16 beside those of f32, as a share of the largest where
/// that is above 1; a head trains on them, all of a model trains in bf16, and what was frozen is saved as
/// the source has it.
fn in_bf16<M: Modality>(
    source: &Pretrained,
    spec: Spec,
    modality: &M,
    train: &Samples,
    batch: &Batch,
    shown: &str,
) {
    let (weights, none) = (source.source().unwrap(), Samples::default());
    let from = Some((&weights, LoadParts::Body));
    let build = |halved: bool| {
        let spec = spec.clone();
        seeded(1, || match halved {
            true => Model::with_halved(spec, modality, from, Device::Cpu, &|_| true),
            false => Model::new(spec, modality, from, Device::Cpu),
        })
        .unwrap_or_else(|e| panic!("{shown}, in bf16: {e}"))
    };
    let (whole, half) = (build(false), build(true));
    let (want, got) = (logits(&whole, batch), logits(&half, batch));
    let far = (&want - got).abs().max() / want.abs().max().clamp_min(1.);
    let far = far.double_value(&[]);
    assert!(far < BF16_WITHIN, "{shown}, in bf16: off by {far:e}");

    let frozen: Freeze = "not head".parse().unwrap();
    let options = FitOptions {
        epochs: 2,
        batch_size: 6,
        precision: Precision::Bf16,
        ..FitOptions::default()
    };
    for (model, freeze) in [(&half, frozen), (&whole, Freeze::nothing())] {
        freeze.apply(model.store(), model.outline()).unwrap();
        // What is new is not frozen by a complement, and is not halved either.
        let fitted = fit(model, modality, train, &none, &options, &mut |_| Ok(()));
        let epochs = fitted.unwrap_or_else(|e| panic!("{shown}, in bf16: {e}")).epochs;
        assert!(epochs.iter().all(|epoch| epoch.train_loss.is_finite()), "{shown}, in bf16");
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(half.save_from(&weights, file.path()).unwrap(), 0, "{shown}");
    let saved = Checkpoint::open(file.path()).unwrap();
    for (name, value) in build(false).store().variables() {
        let kept = &half.store().variables()[&name];
        if kept.kind() == Kind::BFloat16 && !half.report().is_fresh(&name) {
            assert!(saved.tensor(&name).unwrap().equal(&value), "{shown}: {name}");
        }
    }
}

fn logits(model: &Model, batch: &Batch) -> Tensor {
    tch::no_grad(|| model.classifier().forward(batch, false))
}

fn same(want: &Tensor, got: &Tensor, shown: &str) {
    let far = (want - got).abs().max().double_value(&[]);
    // Not `>`: NaN is no answer either.
    assert!(far < WITHIN, "{shown}: off by {far:e}");
}

/// Whether the table of families says that a family's models are exported.
fn exports(family: &str) -> bool {
    let table = families();
    let row = table.lines().find(|row| row.contains(&format!("| `{family}` ")));
    row.is_some_and(|row| {
        row.trim_end_matches('|').rsplit('|').next().is_some_and(|to| to.trim() != "")
    })
}

#[test]
fn every_family_has_a_fixture() {
    let name = |path: &PathBuf| {
        let source = Pretrained::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        source.config().name.clone()
    };
    let found: BTreeSet<String> = sources().iter().map(name).collect();
    let table = families();
    // Below the head of the table and its rule.
    let cell = |row: &str| row.split('`').nth(1).map(String::from);
    let missing: Vec<String> =
        table.lines().skip(2).filter_map(cell).filter(|name| !found.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Every source on one modality; how many were exported.
fn all<M: Modality>(settings: impl Fn(&Path) -> M, input: impl Fn(usize, u64) -> Input) -> usize {
    let sources = sources();
    sources.iter().filter(|path| goes(path, || settings(path), &input)).count()
}

pub(crate) fn is_of(path: &Path, modality: &str) -> bool {
    path.starts_with(root().join("crates").join(modality))
}

#[test]
fn on_recordings() {
    let exported = all(|_| AudioSettings::new(AudioOptions::default()).unwrap(), recording);
    assert!(exported >= EXPORTED, "{exported}");
}

#[test]
fn on_pictures() {
    // What is new to pictures takes them at any size; others have their own.
    let options = |path: &Path| {
        let size = (!is_of(path, "image")).then_some(32);
        ImageSettings::new(ImageOptions { size, ..ImageOptions::default() }).unwrap()
    };
    let exported = all(options, picture);
    assert!(exported >= EXPORTED, "{exported}");
}

#[test]
fn on_sentences() {
    let mut exported = 0;
    for path in sources() {
        if !is_of(&path, "text") {
            goes(&path, || TextSettings::new(Some(32)).with_units(Some(Units::Bytes)), sentence);
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        // An adapter has its base's tokenizer.
        if let Some(path) = with_tokenizer(&path, folder.path()) {
            exported += usize::from(goes(&path, || TextSettings::new(None), sentence));
        }
    }
    assert!(exported >= EXPORTED, "{exported}");
}

/// A folder as it is, if it has a tokenizer; else a copy with one of as many tokens as its model knows.
pub(crate) fn with_tokenizer(path: &Path, to: &Path) -> Option<PathBuf> {
    let files = ["tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "spm.model"];
    if files.iter().any(|file| path.join(file).exists()) {
        return Some(path.to_path_buf());
    }
    let config: Value = serde_json::from_slice(&fs::read(path.join("config.json")).ok()?).unwrap();
    let size = config["vocab_size"].as_u64().unwrap();
    let bert = root().join("crates/text/tests/fixtures/tiny-bert/tokenizer.json");
    let mut tokenizer: Value = serde_json::from_slice(&fs::read(bert).unwrap()).unwrap();
    let words = tokenizer["model"]["vocab"].as_object_mut().unwrap();
    words.retain(|_, id| id.as_u64().unwrap() < size);
    fs::write(to.join("tokenizer.json"), tokenizer.to_string()).unwrap();
    for file in ["config.json", "model.safetensors"] {
        fs::copy(path.join(file), to.join(file)).unwrap();
    }
    Some(to.to_path_buf())
}

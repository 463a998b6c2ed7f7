//! The answer for an input is the one that it has alone, whatever the company: for every family, every
//! modality on it, every pool, and every way to handle long recordings.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crosstune_audio::{AudioOptions, AudioSettings, Long};
use crosstune_core::{
    CacheBudget, Device, FitOptions, Freeze, Input, Item, LoadParts, Location, MemoryBudget,
    Modality, Model, Origin, Pool, Pretrained, ReadMode, Samples, Scores, Target, fit,
    predict::{FeatureLevel, features, score},
};
use crosstune_image::{ImageOptions, ImageSettings};
use crosstune_text::{TextSettings, Units};
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use tch::{Kind, Tensor};

use crate::support::{root, seeded};

/// Correct ones differ by a few 1e-6: libtorch chooses its kernels by the size of a batch.
const WITHIN: f64 = 1e-5;

/// How often each model is asked.
const CASES: u32 = 6;

pub(crate) fn fixture(path: &str) -> PathBuf {
    let (modality, name) = path.split_once('/').unwrap();
    root().join(format!("crates/{modality}/tests/fixtures/{name}"))
}

/// The models of all families, each of which takes all modalities.
const SOURCES: [&str; 16] = [
    "image/tiny-vit",
    "image/tiny-deit",
    "image/tiny-deit-distilled",
    "image/tiny-dinov2",
    "image/tiny-timm-vit",
    "image/tiny-resnet-cifar/resnet.th",
    "image/tiny-resnet-hf-bottleneck",
    "text/tiny-bert",
    "audio/tiny-ast",
    "audio/tiny-whisper",
    "audio/tiny-wav2vec2",
    "audio/tiny-wav2vec2-large",
    "audio/tiny-wav2vec2-weight-g",
    "audio/tiny-hubert",
    "audio/tiny-hubert-large",
    "audio/tiny-honk/res8.pt",
];

/// Of three classes in turn.
fn items(inputs: &[Input]) -> Vec<Item> {
    let item = |(line, input): (u64, &Input)| {
        let place = Location { path: Path::new("inputs").into(), line: Some(line) };
        Item { target: Target::Class(line as usize % 3), ..Item::new(input.clone(), place) }
    };
    (1..).zip(inputs).map(item).collect()
}

fn runner() -> TestRunner {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// So many inputs, always the same.
pub(crate) fn some(input: &impl Strategy<Value = Input>, count: usize) -> Vec<Input> {
    proptest::collection::vec(input, count).new_tree(&mut runner()).unwrap().current()
}

/// All that a model says of inputs, `[N, …]`: answers, and features at two levels.
fn said<M: Modality>(model: &Model, modality: &M, inputs: &[Input], size: usize) -> [Tensor; 3] {
    let memory = &mut MemoryBudget::default();
    let (samples, bad) =
        Samples::read(modality, &items(inputs), ReadMode::Inference, memory, || ());
    assert!(bad.is_empty(), "{bad:?}");
    let mut answers = vec![];
    score(model, modality, &samples, size, |_, scores| {
        let Scores::Rows(rows) = scores else { panic!("a row for each") };
        answers.push(rows.shallow_clone());
        Ok(())
    })
    .unwrap();
    let features = |level| features(model, modality, &samples, level, size).unwrap();
    let [embedded, pooled] = [FeatureLevel::Embedded, FeatureLevel::Pooled].map(features);
    [Tensor::cat(&answers, 0).to_kind(Kind::Double), embedded, pooled]
}

/// Asks models of one source about inputs, in company and alone.
fn holds<M: Modality>(path: &Path, settings: M, input: &impl Strategy<Value = Input>) {
    let source = Pretrained::open(path).unwrap();
    let (mut modality, train) = (settings, some(input, 8));
    let embedder = modality.adopt(&source).unwrap();
    modality.survey(&train.iter().collect::<Vec<_>>());
    let (form, head) = (source.config().trunk.accepts(), &source.config().head);
    let mut pools = vec![Pool::Mean];
    if embedder == Origin::Pretrained && head.pool != Pool::Mean {
        pools.push(head.pool);
    } else {
        pools.extend([Pool::First, Pool::Last].into_iter().filter(|pool| pool.takes(form)));
    }
    for pool in pools {
        let labels = ["heron", "stork", "crane"].map(String::from).to_vec();
        let spec = M::spec(&source, embedder, labels).with_head(pool, head.config);
        let weights = source.source().unwrap();
        let from = Some((&weights, LoadParts::Body));
        let model = seeded(1, || Model::new(spec, &modality, from, Device::Cpu).unwrap());
        let company = (proptest::collection::vec(input, 2..7), 1..8usize);
        let checked = runner().run(&company, |(inputs, size)| {
            let together = said(&model, &modality, &inputs, size);
            for (at, input) in inputs.iter().enumerate() {
                let alone = said(&model, &modality, std::slice::from_ref(input), 1);
                for (together, alone) in together.iter().zip(&alone) {
                    let off = together.get(at as i64) - alone.get(0);
                    let off = off.abs().max().double_value(&[]);
                    // Not `>`: NaN is no answer either.
                    prop_assert!(off < WITHIN, "input {at} in batches of {size}: off by {off:e}");
                }
            }
            Ok(())
        });
        if let Err(error) = checked {
            panic!("{} of {}, pooled by {pool}: {error}", path.display(), M::SAMPLES);
        }
    }
}

/// Recordings of noise of at most 0.6 s, in 16 bits at 16 kHz.
pub(crate) fn recordings() -> impl Strategy<Value = Input> {
    let length = prop_oneof![1..500usize, 500..10_000usize];
    (length, any::<u64>(), 1..30_000i64).prop_map(|(length, seed, loudness)| {
        let samples = noise(seed).map(|x| (x % loudness) as i16).take(length);
        let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
        let mut wav = b"RIFF".to_vec();
        let number = |n: usize| (n as u32).to_le_bytes();
        wav.extend(number(36 + data.len()));
        wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        wav.extend([16_000, 32_000].map(number).concat());
        wav.extend(b"\x02\0\x10\0data");
        wav.extend(number(data.len()));
        wav.extend(data);
        Input::Bytes { name: format!("{length} samples"), bytes: wav.into() }
    })
}

/// Pictures of noise of many sizes, as BMP.
pub(crate) fn pictures() -> impl Strategy<Value = Input> {
    (1..60usize, 1..60usize, any::<u64>()).prop_map(|(width, height, seed)| {
        let row = (3 * width).next_multiple_of(4);
        let mut bmp = b"BM".to_vec();
        let numbers =
            [54 + row * height, 0, 54, 40, width, height, 1 + (24 << 16), 0, 0, 0, 0, 0, 0];
        bmp.extend(numbers.iter().flat_map(|&n| (n as u32).to_le_bytes()));
        bmp.extend(noise(seed).map(|x| x as u8).take(row * height));
        Input::Bytes { name: format!("{width} × {height}"), bytes: bmp.into() }
    })
}

/// Pseudo-random numbers (Vigna's SplitMix64).
fn noise(seed: u64) -> impl Iterator<Item = i64> {
    (1..).map(move |i: u64| {
        let mut x = seed.wrapping_add(i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) as i64
    })
}

/// Texts, from empty ones to those that are cut.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![".{0,40}", "(one |two |three |猫 ){0,40}"]
}

#[test]
fn of_recordings() {
    for source in SOURCES {
        let long = match source.len() % 3 {
            0 => Long::Cut,
            1 => Long::Crop,
            _ => Long::Windows,
        };
        let options = AudioOptions { long: Some(long), ..AudioOptions::default() };
        holds(&fixture(source), AudioSettings::new(options).unwrap(), &recordings());
    }
}

#[test]
fn of_recordings_in_windows() {
    for source in ["audio/tiny-wav2vec2", "audio/tiny-hubert", "audio/tiny-whisper"] {
        let options =
            AudioOptions { long: Some(Long::Windows), frames: Some(40), ..AudioOptions::default() };
        holds(&fixture(source), AudioSettings::new(options).unwrap(), &recordings());
    }
}

#[test]
fn of_pictures() {
    for source in SOURCES {
        // What is new to pictures takes them at any size; others have their own.
        let asked = ImageOptions {
            size: (!source.starts_with("image/")).then_some(32),
            ..ImageOptions::default()
        };
        holds(&fixture(source), ImageSettings::new(asked).unwrap(), &pictures());
    }
}

/// Features that are cached were computed in batches of similar length, others in those of the
/// training.
#[test]
fn of_cached_features() {
    for source in ["audio/tiny-wav2vec2", "audio/tiny-hubert", "text/tiny-bert"] {
        let source = Pretrained::open(fixture(source)).unwrap();
        let (mut modality, inputs) = (AudioSettings::default(), some(&recordings(), 24));
        let embedder = modality.adopt(&source).unwrap();
        modality.survey(&inputs.iter().collect::<Vec<_>>());
        let [train, validation] = [ReadMode::Training, ReadMode::Inference].map(|mode| {
            let memory = &mut MemoryBudget::default();
            Samples::read(&modality, &items(&inputs), mode, memory, || ()).0
        });
        modality.fit_normalization(train.moments());
        let losses = |cache_budget: Option<CacheBudget>| -> Vec<f64> {
            let labels = ["heron", "stork", "crane"].map(String::from).to_vec();
            let spec = AudioSettings::spec(&source, embedder, labels);
            let weights = source.source().unwrap();
            let from = Some((&weights, LoadParts::Body));
            let model = seeded(1, || Model::new(spec, &modality, from, Device::Cpu).unwrap());
            let frozen: Freeze = "embedder,trunk".parse().unwrap();
            frozen.apply(model.store(), model.outline()).unwrap();
            let options =
                FitOptions { epochs: 3, batch_size: 5, cache_budget, ..FitOptions::default() };
            let fitted = fit(&model, &modality, &train, &validation, &options, &mut |_| Ok(()));
            let epochs = fitted.unwrap().epochs.into_iter();
            epochs
                .flat_map(|epoch| [Some(epoch.train_loss), epoch.validation_loss])
                .flatten()
                .collect()
        };
        let (cached, again) = (losses(Some(CacheBudget::default())), losses(None));
        assert_eq!(cached.len(), 6);
        for (cached, again) in cached.iter().zip(&again) {
            // A step of Adam is larger than the gradient that it follows.
            assert!(
                (cached - again).abs() < 1e-4,
                "{cached} and {again} of {}",
                source.config().name
            );
        }
    }
}

#[test]
fn of_sentences() {
    for (at, source) in SOURCES.into_iter().enumerate() {
        let units = [Units::Bytes, Units::Characters][at % 2];
        let new = || match source == "text/tiny-bert" {
            true => TextSettings::new(None),
            false => TextSettings::new(Some(48)).with_units(Some(units)),
        };
        holds(&fixture(source), new(), &texts().prop_map(Input::Text));
        let pair = [texts(), texts()].prop_map(Input::Pair);
        holds(&fixture(source), new(), &pair);
    }
}

/// A text model that is published without a tokenizer, with that of a BERT.
pub(crate) fn with_tokenizer(source: &str) -> tempfile::TempDir {
    let bert = fs::read(fixture("text/tiny-bert/tokenizer.json")).unwrap();
    let mut tokenizer: serde_json::Value = serde_json::from_slice(&bert).unwrap();
    let words = tokenizer["model"]["vocab"].as_object_mut().unwrap();
    let config = fs::read(fixture(&format!("text/{source}/config.json"))).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    let known = config["vocab_size"].as_u64().unwrap();
    words.retain(|_, id| id.as_u64().unwrap() < known);
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        let from = fixture(&format!("text/{source}")).join(file);
        fs::copy(from, folder.path().join(file)).unwrap();
    }
    let tokenizer = serde_json::to_vec(&tokenizer).unwrap();
    fs::write(folder.path().join("tokenizer.json"), tokenizer).unwrap();
    folder
}

#[test]
fn of_sentences_in_tokens() {
    for source in ["tiny-distilbert", "tiny-gpt2", "tiny-roberta", "tiny-bert-classifier"] {
        let folder = with_tokenizer(source);
        holds(folder.path(), TextSettings::new(None), &texts().prop_map(Input::Text));
    }
}

//! What a training depends on: its options, and nothing else. Not on the memory, nor on the threads that
//! read; with --deterministic, not on those that compute.

use std::fs;

use crosstune_audio::AudioSettings;
use crosstune_core::{
    CacheBudget, DEFAULT_MEMORY, Dataset, Device, FitOptions, Freeze, LoadParts, Modality, Model,
    Order, Pretrained, Splits, evaluate, fit, init_from_data,
};
use crosstune_image::ImageSettings;
use crosstune_text::TextSettings;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use serde_json::Value;

use crate::support::{difference, outcome, ran, root, seeded, tiny_bert, training};

/// A short training, with the variables set, and what comes of it.
fn trained(
    (modality, weights): (&str, &str),
    more: &str,
    variables: &[(&str, &str)],
) -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let (of, name) = weights.split_once('/').unwrap();
    let weights = root().join(format!("crates/{of}/tests/fixtures/{name}"));
    let more: Vec<&str> = more.split_whitespace().collect();
    let short = ["--limit-per-class", "8", "--epochs", "2", "--validation", "0.2"];
    let mut command = training(&weights, modality, &run, &[&short[..], &more].concat());
    ran(command.envs(variables.iter().copied())).ok();
    outcome(&run)
}

#[test]
fn memory_bounds_memory_and_nothing_else() {
    for (setup, more) in [
        (("image", "text/tiny-bert"), ""),
        (("image", "image/tiny-resnet-hf-basic"), "--recipe linear-probe"),
        (("audio", "text/tiny-bert"), "--group-by-length --freeze trunk"),
        (("audio", "audio/tiny-wav2vec2"), "--recipe linear-probe"),
        (("text", "text/tiny-bert"), "--group-by-length --freeze below:1"),
        (("text", "image/tiny-resnet-hf-basic"), "--max-length 40"),
    ] {
        let with = |memory| trained(setup, &format!("{more} --memory {memory}"), &[]);
        let all = with("4G");
        for memory in ["0", "1", "50K"] {
            let other = with(memory);
            assert_eq!(difference(&all, &other), None, "{setup:?} {more} --memory {memory}");
        }
    }
}

/// All that comes of a training on the modality's digits, as text and bits.
fn fitted<M: Modality>(weights: &str, memory: usize) -> (String, Vec<(String, Vec<u32>)>) {
    let source = Pretrained::open(root().join(weights)).unwrap();
    let layout = M::layout();
    let layout = match M::NAME {
        "audio" => crosstune_core::Layout {
            label_pattern: Some(regex::Regex::new(r"^(?<label>\d)_").unwrap()),
            ..layout
        },
        _ => layout,
    };
    let samples = root().join(format!("crates/{}/samples/digits", M::NAME));
    let mut data = Dataset::open(samples, &layout).unwrap();
    data.limit_per_class(4, 0).unwrap();
    let mut modality = M::default();
    let embedder = modality.adopt(&source).unwrap();
    let (splits, bad) = Splits::read(&mut modality, &data, memory, || ()).unwrap();
    assert!(bad.is_empty());
    let spec = M::spec(&source, embedder, data.labels);
    let key_map = source.source().unwrap();
    let from = Some((&key_map, LoadParts::Body));
    let model = seeded(3, || Model::new(spec, &modality, from, Device::Cpu).unwrap());
    seeded(3, || init_from_data(&model, &modality, &splits.train, None)).unwrap();
    let freeze: Freeze = "trunk".parse().unwrap();
    freeze.apply(model.store(), model.outline()).unwrap();
    let options = FitOptions {
        epochs: 2,
        order: Order::ByLength,
        cache_budget: Some(CacheBudget { memory, ..CacheBudget::default() }),
        ..FitOptions::default()
    };
    fit(&model, &modality, &splits.train, &splits.test, &options, &mut |_| Ok(())).unwrap();
    let test = evaluate(&model, &modality, &splits.test, 32).unwrap();
    let settings = serde_json::to_string(&modality).unwrap();
    let bits = |x: tch::Tensor| -> Vec<u32> {
        let values: Vec<f32> = x.flatten(0, -1).try_into().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    };
    let mut parameters: Vec<_> =
        model.store().variables().into_iter().map(|(name, x)| (name, bits(x))).collect();
    parameters.sort();
    (format!("{settings} {test:?}"), parameters)
}

/// At any budget, from none to more than all.
fn at_any_budget<M: Modality>(weights: &str) {
    let all = fitted::<M>(weights, DEFAULT_MEMORY);
    let config = Config { cases: 8, failure_persistence: None, ..Config::default() };
    let budget = (0..22u32).prop_flat_map(|bits| 0..=1usize << bits);
    let same = TestRunner::new(config).run(&budget, |memory| {
        prop_assert!(fitted::<M>(weights, memory) == all, "{memory} bytes");
        Ok(())
    });
    same.unwrap_or_else(|error| panic!("{} on {weights}: {error}", M::SAMPLES));
}

#[test]
fn a_model_is_the_same_at_any_budget() {
    let [bert, vit] =
        ["crates/text/tests/fixtures/tiny-bert", "crates/image/tests/fixtures/tiny-vit"];
    at_any_budget::<ImageSettings>(bert);
    at_any_budget::<AudioSettings>(bert);
    at_any_budget::<TextSettings>(vit);
}

#[test]
fn the_number_of_threads_that_read_changes_nothing() {
    let more = "--group-by-length --memory 1K";
    for setup in
        [("text", "text/tiny-bert"), ("audio", "text/tiny-bert"), ("image", "text/tiny-bert")]
    {
        let [one, seven] = ["1", "7"].map(|n| trained(setup, more, &[("RAYON_NUM_THREADS", n)]));
        assert_eq!(difference(&one, &seven), None, "{setup:?}");
    }
}

/// Recipes and trunks; in all, libtorch divides sums among its threads.
const SETUPS: [((&str, &str), &str); 6] = [
    (("text", "text/tiny-bert"), "--batch-size 64"),
    (("text", "text/tiny-bert"), "--recipe linear-probe --batch-size 64"),
    (("text", "text/tiny-bert"), "--recipe lora --batch-size 64"),
    (("image", "text/tiny-bert"), "--size 64 --patch 4"),
    (("image", "image/tiny-resnet-hf-bottleneck"), "--size 64"),
    (("audio", "audio/tiny-wav2vec2"), "--batch-size 32"),
];

#[test]
fn with_deterministic_the_number_of_threads_changes_nothing() {
    for (setup, more) in SETUPS {
        let with = |threads| {
            let more = format!("{more} --deterministic --max-steps 4");
            trained(setup, &more, &[("OMP_NUM_THREADS", threads)])
        };
        let [one, two, three] = ["1", "2", "3"].map(with);
        assert_eq!(difference(&one, &two), None, "{setup:?} {more}: two threads");
        assert_eq!(difference(&one, &three), None, "{setup:?} {more}: three threads");
    }
}

#[test]
fn with_as_many_threads_a_training_is_the_same_to_the_last_bit() {
    for (setup, more) in SETUPS {
        let with = |threads| {
            trained(setup, &format!("{more} --max-steps 4"), &[("OMP_NUM_THREADS", threads)])
        };
        assert_eq!(difference(&with("2"), &with("2")), None, "{setup:?} {more}");
    }
}

#[test]
fn a_run_and_a_plan_tell_how_they_were_computed() {
    let folder = tempfile::tempdir().unwrap();
    let [run, plan] = ["run", "plan.toml"].map(|name| folder.path().join(name));
    let short = ["--limit-per-class", "2", "--max-steps", "1", "--validation", "0"];
    let with = |more: &[&str]| {
        let mut command = training(&tiny_bert(), "text", &run, &[&short, more].concat());
        ran(command.env("OMP_NUM_THREADS", "2"))
    };
    let file = plan.to_str().unwrap();
    with(&["--deterministic", "--plan", file]).ok();
    let planned = fs::read_to_string(&plan).unwrap();
    assert!(
        planned.contains("deterministic = true") && planned.contains("threads = 1"),
        "{planned}"
    );
    let error = with(&["--require-plan", file]).error(2);
    assert!(error.ends_with("deterministic: planned true, but now false"), "{error}");
    for (more, deterministic, threads) in
        [(&["--deterministic"][..], true, 1), (&["--overwrite"], false, 2)]
    {
        with(more).ok();
        let result: Value =
            serde_json::from_slice(&fs::read(run.join("result.json")).unwrap()).unwrap();
        assert_eq!(
            (&result["deterministic"], &result["cost"]["threads"]),
            (&deterministic.into(), &threads.into())
        );
    }
}

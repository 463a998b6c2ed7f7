//! From samples to a run folder, and what the folder is good for.

use std::{fs, thread::available_parallelism};

use serde_json::Value;

use crate::support::{crosstune, ran, root, tiny_bert, train, training, words};

#[test]
fn every_modality_trains_evaluates_and_predicts() {
    for (modality, sample, samples) in [
        ("image", "crates/image/samples/digits/test/7", "pictures"),
        ("audio", "crates/audio/samples/digits/test", "recordings"),
        ("text", "crates/text/samples/digits/README.md", "sentences"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        train(modality, &run, &["--epochs", "2", "--limit-per-class", "8"]).ok();
        for file in
            ["spec.json", "labels.json", "model.safetensors", "preprocessing.json", "result.json"]
        {
            assert!(run.join(file).is_file(), "{modality}: {file}");
        }
        let epochs = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        assert_eq!(epochs.lines().count(), 2);

        // The model that was saved is the one that was measured.
        let result = json(&fs::read_to_string(run.join("result.json")).unwrap());
        let data = root().join(format!("crates/{modality}/samples/digits"));
        let evaluated = json(&crosstune(modality, &words!["evaluate", run, data, "--json"]).ok());
        assert_eq!(evaluated["evaluation"]["confusion"], result["test"]["confusion"], "{modality}");
        let table = crosstune(modality, &words!["evaluate", run, data]).ok();
        assert!(table.contains("accuracy") && table.contains(samples), "{table}");

        let sample = root().join(sample);
        let file = match sample.is_dir() {
            true => fs::read_dir(&sample).unwrap().next().unwrap().unwrap().path(),
            false => sample,
        };
        let lines = crosstune(modality, &words!["predict", run, file, "--json"]).ok();
        let line = json(lines.lines().next().unwrap());
        let labels = line["labels"].as_array().unwrap();
        assert_eq!(labels.len(), 3, "{line}");
        assert!(labels[0]["probability"].as_f64() >= labels[1]["probability"].as_f64());
    }
}

#[test]
fn a_model_learns_what_it_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train("image", &run, &["--epochs", "12", "--lr", "1e-2", "--pretrained-lr", "3e-3"]).ok();
    let result = json(&fs::read_to_string(run.join("result.json")).unwrap());
    // Ten classes: chance is 10 %. A logistic regression on the pixels has 93 %.
    let accuracy = result["test"]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.6, "{accuracy}");
}

#[test]
fn the_seed_decides_everything() {
    let folder = tempfile::tempdir().unwrap();
    let weights = |name: &str, seed: &str| {
        let run = folder.path().join(name);
        train("image", &run, &["--epochs", "1", "--limit-per-class", "8", "--seed", seed]).ok();
        fs::read(run.join("model.safetensors")).unwrap()
    };
    let (first, again, other) = (weights("a", "1"), weights("b", "1"), weights("c", "2"));
    assert!(first == again, "the same seed gave other weights");
    assert!(first != other, "another seed gave the same weights");
}

#[test]
fn training_has_all_threads() {
    let folder = tempfile::tempdir().unwrap();
    // As many as there are cores, at the most.
    let threads = available_parallelism().unwrap().get().min(2);
    for modality in ["image", "audio", "text"] {
        let run = folder.path().join(modality);
        let short = ["--max-steps", "2", "--limit-per-class", "2"];
        let mut training = training(&tiny_bert(), modality, &run, &short);
        ran(training.env("OMP_NUM_THREADS", "2")).ok();
        let result = json(&fs::read_to_string(run.join("result.json")).unwrap());
        assert_eq!(result["cost"]["threads"], threads, "{modality}");
    }
}

#[test]
fn inspect_shows_both_sides_of_a_training() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train("text", &run, &["--epochs", "1", "--max-steps", "1"]).ok();
    let before = crosstune("text", &words!["inspect", tiny_bert()]).ok();
    assert!(before.contains("bert (pretrained on text)"), "{before}");
    assert!(before.contains("2 blocks of width 32, 4 heads"), "{before}");
    let after = crosstune("text", &words!["inspect", run]).ok();
    assert!(after.contains("bert (tuned on text; classes: 0, 1"), "{after}");
    let tensors = json(&crosstune("text", &words!["inspect", run, "--json"]).ok());
    assert_eq!(tensors["tensors"]["head.weight"]["shape"], serde_json::json!([10, 32]));
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e} in {text:?}"))
}

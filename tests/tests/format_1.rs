//! What was written before specifications were of format 2 is read as it was meant, or refused.

use std::fs;

use serde_json::Value;

use crate::support::{crosstune, root, tiny_bert, words};

#[test]
fn a_run_with_an_adapter_answers_as_it_did() {
    let old = root().join("tests/fixtures/format-1");
    let sentences = tiny_bert().join("sentences.txt");
    let got = crosstune("text", &words!["predict", "--json", old.join("run"), sentences]).ok();
    let read = |lines: &str| -> Vec<Value> {
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let got = read(&got);
    let expected = read(&fs::read_to_string(old.join("predicted.jsonl")).unwrap());
    assert!(!got.is_empty() && got.len() == expected.len());
    for (got, expected) in got.iter().zip(&expected) {
        for at in 0..3 {
            let (got, expected) = (&got["labels"][at], &expected["labels"][at]);
            assert_eq!(got["label"], expected["label"]);
            let p = |answer: &Value| answer["probability"].as_f64().unwrap();
            assert!((p(got) - p(expected)).abs() < 1e-5, "{got}, not {expected}");
        }
    }
}

#[test]
fn a_run_is_a_source_and_its_adapter_is_exported() {
    let folder = tempfile::tempdir().unwrap();
    let run = root().join("tests/fixtures/format-1/run");
    let data = root().join("tests/fixtures/format-1/train.tsv");
    let out = folder.path().join("again");
    let train = words![
        "train",
        "--weights",
        run,
        "--data",
        data,
        "--out",
        out,
        "--epochs",
        "1",
        "--validation",
        "0"
    ];
    crosstune("text", &train).ok();
    let spec: Value = serde_json::from_slice(&fs::read(out.join("spec.json")).unwrap()).unwrap();
    assert_eq!(spec["format"], 2);
    let trunk = &spec["trunk"]["transformer"];
    assert_eq!((&trunk["norm_placement"], &trunk["activation"]), (&"post".into(), &"gelu".into()));

    let adapter = folder.path().join("adapter");
    let base = tiny_bert();
    let export = words!["export", run, "--format", "peft", "--base", base, "--out", adapter];
    crosstune("text", &export).ok();
    let file = "adapter_model.safetensors";
    let before = root().join("tests/fixtures/format-1/adapter").join(file);
    assert_eq!(fs::read(adapter.join(file)).unwrap(), fs::read(before).unwrap());
}

#[test]
fn a_plan_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let old = root().join("tests/fixtures/format-1");
    let (data, plan) = (old.join("train.tsv"), old.join("plan.toml"));
    let train = words![
        "train",
        "--weights",
        tiny_bert(),
        "--data",
        data,
        "--recipe",
        "lora",
        "--epochs",
        "1",
        "--validation",
        "0",
        "--out",
        folder.path().join("run"),
        "--require-plan",
        plan
    ];
    let error = crosstune("text", &train).error(2);
    assert!(error.contains("written by an older version; write it again"), "{error}");
}

#[test]
fn the_models_that_ship_are_of_format_1() {
    for modality in ["image", "audio", "text"] {
        let model = root().join("crates/core/pretrained").join(modality);
        let spec: Value =
            serde_json::from_slice(&fs::read(model.join("spec.json")).unwrap()).unwrap();
        assert_eq!(spec["format"], 1, "{modality}");
        crosstune(modality, &words!["inspect", model]).ok();
    }
}

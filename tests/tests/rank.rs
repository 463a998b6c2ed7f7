//! `rank` and `embed`: what is told of sources without training.

use std::fs;

use serde_json::Value;

use crate::support::{crosstune, root, tiny_bert, words};

#[test]
fn sources_of_all_modalities_are_ranked_for_recordings() {
    let data = root().join("crates/audio/samples/digits");
    let fixtures = root().join("crates");
    let missing = fixtures.join("no-such-model");
    let line = words![
        "rank",
        "--weights",
        tiny_bert(),
        fixtures.join("audio/tests/fixtures/tiny-wav2vec2"),
        fixtures.join("image/tests/fixtures/tiny-resnet-cifar/resnet.th"),
        missing,
        "--data",
        data,
        "--label-pattern",
        r"^(?<label>\d)_",
        "--seeds",
        "2",
        "--folds",
        "3",
        "--limit-per-class",
        "8",
    ];
    let text = crosstune("audio", &line).ok();
    assert!(text.contains("LogME") && text.contains("fresh × 2") && text.contains("own"), "{text}");
    assert!(text.contains("Cannot be used:\n") && text.contains("no-such-model: "), "{text}");
    let json = [&line[..], &words!["--json"][..]].concat();
    let first = crosstune("audio", &json).ok();
    let report: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(report["classes"], 10, "{report}");
    assert_eq!(report["unusable"].as_array().unwrap().len(), 1);
    let sources = report["sources"].as_array().unwrap();
    assert_eq!(sources.len(), 3);
    let accuracies: Vec<f64> = sources.iter().map(|s| s["accuracy"].as_f64().unwrap()).collect();
    assert!(accuracies.is_sorted_by(|a, b| a >= b), "{accuracies:?}");
    // Ten spoken digits are told apart better than by chance, even on random trunks.
    assert!(accuracies[0] > 0.2, "{accuracies:?}");
    assert_eq!(sources[0]["tied"], true);
    let again: Value = serde_json::from_str(&crosstune("audio", &json).ok()).unwrap();
    let figures = |report: &Value| -> Vec<Value> {
        let sources = report["sources"].as_array().unwrap();
        sources.iter().map(|s| s["logme"].clone()).collect()
    };
    assert_eq!(figures(&report), figures(&again), "the seed decides everything");
}

#[test]
fn without_a_usable_source_there_is_nothing_to_rank() {
    let data = root().join("crates/image/samples/digits");
    let line = words!["rank", "--weights", root().join("no-such-model"), "--data", data];
    let error = crosstune("image", &line).error(1);
    assert!(error.contains("no source can be used") && error.contains("no-such-model"), "{error}");
    let line = words!["rank", "--weights", tiny_bert(), "--data", data, "--folds", "2"];
    assert!(crosstune("image", &line).error(2).starts_with("--folds: "));
}

#[test]
fn a_source_embeds_its_own_kind_of_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("features.safetensors");
    let data = root().join("crates/text/samples/digits");
    let line = words!["embed", "--weights", tiny_bert(), "--data", data, "--out", out];
    crosstune("text", &line).ok();
    let bytes = fs::read(&out).unwrap();
    let header = String::from_utf8_lossy(&bytes[8..300]);
    assert!(header.contains("features") && header.contains("targets"), "{header}");
    let inspected = crosstune_core::SourceFeatures::open(&out).unwrap();
    assert_eq!(inspected.width(), 32);
    assert!(crosstune("text", &line).error(2).contains("is there already; name another"));
    let data = root().join("crates/image/samples/digits");
    let out = folder.path().join("other.safetensors");
    let line = words!["embed", "--weights", tiny_bert(), "--data", data, "--out", out];
    assert!(crosstune("image", &line).error(2).contains("use crosstune-text embed"));
}

//! Published classifiers as they are: without names of classes, with one output, with other names
//! than the data's.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tch::Tensor;

use crate::support::{crosstune, root, words};

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e} in {text:?}"))
}

/// The length that the fixture's pairs were truncated to: here, the model has no more positions.
const TRUNCATED: i64 = 24;

/// Added to the first output, so that not all pairs are of one class.
const SHIFT: f64 = 0.4;

/// A classifier of pairs as transformers saved it, with its first `outputs` outputs and these names
/// of classes; and the logits of its inputs, as transformers computed them.
fn classifier(folder: &Path, outputs: i64, names: Option<&[&str]>) -> (PathBuf, Vec<Vec<f64>>) {
    let from = root().join("crates/text/tests/fixtures/tiny-bert-pairs");
    let to = folder.join("model");
    fs::create_dir_all(&to).unwrap();
    fs::copy(from.join("vocab.txt"), to.join("vocab.txt")).unwrap();
    let mut config = json_of(&fs::read_to_string(from.join("config.json")).unwrap());
    let named = (0..outputs).map(|at| match names {
        Some(names) => (at.to_string(), json!(names[at as usize])),
        None => (at.to_string(), json!(format!("LABEL_{at}"))),
    });
    config["id2label"] = Value::Object(named.collect());
    config["max_position_embeddings"] = json!(TRUNCATED);
    fs::write(to.join("config.json"), config.to_string()).unwrap();
    let tensors = Tensor::read_safetensors(from.join("model.safetensors")).unwrap();
    let cut = |(name, tensor): (String, Tensor)| {
        let rows = match &*name {
            "classifier.weight" | "classifier.bias" => outputs,
            _ if name.ends_with("position_embeddings.weight") => TRUNCATED,
            _ => tensor.size()[0],
        };
        let tensor = tensor.narrow(0, 0, rows).contiguous();
        if name != "classifier.bias" {
            return (name, tensor);
        }
        let mut bias = Vec::<f32>::try_from(tensor).unwrap();
        bias[0] += SHIFT as f32;
        (name, Tensor::from_slice(&bias))
    };
    let tensors: Vec<_> = tensors.into_iter().map(cut).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, t)| (name.as_str(), t)).collect();
    Tensor::write_safetensors(&tensors, to.join("model.safetensors")).unwrap();
    let expected = Tensor::read_safetensors(from.join("expected.safetensors")).unwrap();
    let logits = expected.into_iter().find(|(name, _)| name == "logits").unwrap().1;
    let logits = logits.narrow(1, 0, outputs).to_kind(tch::Kind::Double).contiguous();
    let mut logits = Vec::<Vec<f64>>::try_from(logits).unwrap();
    logits.iter_mut().for_each(|row| row[0] += SHIFT);
    (to, logits)
}

/// The pairs of the fixture as a table, with these labels.
fn table(folder: &Path, labels: impl Fn(usize) -> String) -> PathBuf {
    let from = root().join("crates/text/tests/fixtures/tiny-bert-pairs/pairs.tsv");
    let pairs = fs::read_to_string(from).unwrap();
    let row = |(at, line): (usize, &str)| format!("{line}\t{}\n", labels(at));
    let rows: String = pairs.lines().enumerate().map(row).collect();
    let path = folder.join("pairs.tsv");
    fs::write(&path, format!("sentence1\tsentence2\tlabel\n{rows}")).unwrap();
    path
}

#[test]
fn classes_without_names_are_called_as_transformers_calls_them() {
    let folder = tempfile::tempdir().unwrap();
    let (model, logits) = classifier(folder.path(), 2, None);
    let input = folder.path().join("in.txt");
    fs::write(&input, "a sentence\n").unwrap();
    let line = json_of(&crosstune("text", &words!["predict", model, input, "--json"]).ok());
    let mut names: Vec<_> =
        line["labels"].as_array().unwrap().iter().map(|l| l["label"].as_str().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["LABEL_0", "LABEL_1"]);
    // Evaluated, they take the names of the data, and that is said.
    let likely = |at: usize| usize::from(logits[at][1] > logits[at][0]);
    let data = table(folder.path(), |at| ["bad", "good"][likely(at)].into());
    let line = words!["evaluate", model, data, "--pair-column", "sentence2", "--json"];
    let ran = crosstune("text", &line);
    assert!(ran.stderr.contains("in this order: bad, good"), "{}", ran.stderr);
    assert_eq!(json_of(&ran.ok())["evaluation"]["accuracy"], 1.0);
}

#[test]
fn one_output_is_a_number() {
    let folder = tempfile::tempdir().unwrap();
    let (model, logits) = classifier(folder.path(), 1, None);
    // The truth is what transformers gives: no error is left.
    let data = table(folder.path(), |at| logits[at][0].to_string());
    let line = words!["evaluate", model, data, "--pair-column", "sentence2", "--json"];
    let evaluated = json_of(&crosstune("text", &line).ok());
    assert!(evaluated["evaluation"]["mae"].as_f64().unwrap() < 5e-6, "{evaluated}");
    assert_eq!(evaluated["labels"], json!(["label"]));
    let input = folder.path().join("in.txt");
    fs::write(&input, "a sentence\n").unwrap();
    let line = json_of(&crosstune("text", &words!["predict", model, input, "--json"]).ok());
    let value = &line["values"][0];
    assert_eq!(value["name"], "LABEL_0");
    // The pipeline of transformers gives the sigmoid, its model the number.
    let (number, sigmoid) = (value["value"].as_f64().unwrap(), value["sigmoid"].as_f64().unwrap());
    assert!((sigmoid - 1. / (1. + (-number).exp())).abs() < 1e-6, "{line}");
}

#[test]
fn labels_are_mapped_to_a_models_and_a_mapping_is_proposed() {
    let folder = tempfile::tempdir().unwrap();
    let (model, logits) = classifier(folder.path(), 2, Some(&["POSITIVE", "NEGATIVE"]));
    let likely = |at: usize| usize::from(logits[at][1] > logits[at][0]);
    let evaluate = |data: &Path, more: &[&str]| {
        let mut line = words!["evaluate", model, data, "--json"].to_vec();
        line.extend(words!["--pair-column", "sentence2"]);
        line.extend(more.iter().map(std::ffi::OsString::from));
        crosstune("text", &line)
    };
    let numbers = table(folder.path(), |at| likely(at).to_string());
    let refused = evaluate(&numbers, &[]).error(1);
    assert!(refused.trim().ends_with("add --map-labels 0=POSITIVE,1=NEGATIVE"), "{refused}");
    let ran = evaluate(&numbers, &["--map-labels", "0=POSITIVE,1=NEGATIVE"]).ok();
    assert_eq!(json_of(&ran)["evaluation"]["accuracy"], 1.0);
    let ran = evaluate(&numbers, &["--map-labels", "1=POSITIVE,0=NEGATIVE"]).ok();
    assert_eq!(json_of(&ran)["evaluation"]["accuracy"], 0.0);
    let lower = table(folder.path(), |at| ["positive", "negative"][likely(at)].into());
    let refused = evaluate(&lower, &[]).error(1);
    let pairs = "negative=NEGATIVE,positive=POSITIVE";
    assert!(refused.trim().ends_with(&format!("add --map-labels {pairs}")), "{refused}");
    let wrong = evaluate(&lower, &["--map-labels", "positive"]);
    assert!(wrong.error(2).contains("expected two names with = between"));
}

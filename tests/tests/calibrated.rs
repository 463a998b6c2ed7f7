//! Probabilities that can be trusted: what a training fits on its validation split, and what answers make
//! of it.

use std::{ffi::OsString, fs, path::Path};

use serde_json::{Value, json};

use crate::support::{crosstune, names, root, tiny_bert, train, words};

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e} in {text:?}"))
}

fn file(path: &Path) -> Value {
    json_of(&fs::read_to_string(path).unwrap())
}

/// A training that is far from perfect, but better than chance, and surer than it is right.
const SHORT: [&str; 8] =
    ["--epochs", "12", "--lr", "1e-2", "--pretrained-lr", "3e-3", "--validation", "0.25"];

#[test]
fn classes_are_as_probable_as_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let [run, svg, csv] = ["run", "r.svg", "sets.csv"].map(|name| folder.path().join(name));
    let data = root().join("crates/text/samples/digits");
    let ran = train("text", &run, &SHORT);
    assert!(ran.stderr.contains("\ncalibrated  temperature "), "{}", ran.stderr);
    ran.ok();
    let fitted = file(&run.join("calibration.json"));
    let temperature = fitted["temperature"].as_f64().unwrap();
    let samples = fitted["samples"].as_u64().unwrap();
    let result = file(&run.join("result.json"));
    assert_eq!(result["samples"]["validation"], samples);
    assert_eq!(fitted["conformal"]["scores"].as_array().unwrap().len() as u64, samples);
    // Of the samples that it was fitted on, the likelihood is greater with it.
    let of = &result["validation"]["calibration"];
    let nll = |of: &Value| of["nll"].as_f64().unwrap();
    assert!(nll(&of["calibrated"]) < nll(&of["uncalibrated"]), "{of}");
    let loss = result["validation"]["loss"].as_f64().unwrap();
    assert!((nll(&of["uncalibrated"]) - loss).abs() < 1e-5);

    // The run has what was measured; without the file it is what it was before.
    let evaluated = |more: &[&str]| {
        let mut line = words!["evaluate", &run, &data, "--json"].to_vec();
        line.extend(more.iter().map(OsString::from));
        json_of(&crosstune("text", &line).ok())
    };
    let drawn = ["--reliability", svg.to_str().unwrap(), "--set", "0.8"];
    let again = evaluated(&drawn);
    let test = &result["test"]["calibration"];
    let of = &again["evaluation"]["calibration"];
    for which in ["uncalibrated", "calibrated"] {
        assert!((nll(&of[which]) - nll(&test[which])).abs() < 1e-5, "{of} {test}");
        assert_eq!(of[which]["bins"].as_array().unwrap().len(), 15);
    }
    let sets = &again["sets"];
    let coverage = sets["coverage"].as_f64().unwrap();
    assert!((0.65..0.95).contains(&coverage), "{sets}");
    assert!(fs::read_to_string(&svg).unwrap().starts_with("<svg"));
    let text = crosstune("text", &words!["evaluate", run, data, "--set", "0.8"]).ok();
    for said in ["at temperature", "\nconfidence ", "sets of 80.0 %: "] {
        assert!(text.contains(said), "{said} in {text}");
    }

    let input = folder.path().join("input.txt");
    fs::write(&input, "seven of them\nI counted two\n").unwrap();
    let predicted = |more: &[&str]| {
        let mut line = words!["predict", &run, &input].to_vec();
        line.extend(more.iter().map(OsString::from));
        crosstune("text", &line).ok()
    };
    let all = ["--json", "--top", "10"];
    let [with, own] = [&all[..], &[&all[..], &["--uncalibrated"]].concat()].map(predicted);
    for (with, own) in with.lines().zip(own.lines()) {
        let of = |line: &str| {
            let labels = json_of(line)["labels"].as_array().unwrap().clone();
            let p = |one: &Value| one["probability"].as_f64().unwrap();
            labels.iter().map(|one| (one["label"].clone(), p(one))).collect::<Vec<_>>()
        };
        let (with, own) = (of(with), of(own));
        let sum: f64 = own.iter().map(|(_, p)| p.powf(1. / temperature)).sum();
        assert_eq!(with.len(), 10);
        for ((a, with), (b, own)) in with.iter().zip(&own) {
            assert_eq!(a, b, "the order stays");
            assert!((with - own.powf(1. / temperature) / sum).abs() < 1e-5);
        }
    }

    // Sets, in each form.
    let line = json_of(predicted(&["--json", "--set", "0.8"]).lines().next().unwrap());
    assert_eq!(line["set"]["level"], 0.8);
    let set: Vec<&str> =
        line["set"]["labels"].as_array().unwrap().iter().map(|l| l.as_str().unwrap()).collect();
    predicted(&["--set", "0.8", "--out", csv.to_str().unwrap()]);
    let table = fs::read_to_string(&csv).unwrap();
    let mut rows = table.lines();
    assert!(rows.next().unwrap().ends_with(",probability_3,set,coverage"), "{table}");
    assert!(rows.next().unwrap().ends_with(&format!(",{},0.8", set.join("|"))), "{table}");
    let text = predicted(&["--set", "0.8"]);
    let cells: Vec<&str> = text.lines().next().unwrap().split('\t').collect();
    assert_eq!(cells[1], "80.0 %:");
    assert_eq!(cells.len(), 2 + set.len().max(1), "{text}");

    for (options, said) in [
        (&["--set", "0.9999"][..], "this level needs at least 9999; ask for "),
        (&["--set", "1"], "--set: 1: must be above 0 and below 1"),
        (&["--set", "0.8", "--uncalibrated"], "cannot be used with"),
    ] {
        let line = [
            &words!["predict", &run, &input][..],
            &options.iter().map(OsString::from).collect::<Vec<_>>(),
        ]
        .concat();
        let told = crosstune("text", &line).error(2);
        assert!(told.contains(said), "{told}");
    }

    // A file that is none of this model's is no calibration.
    let place = run.join("calibration.json");
    fs::write(&place, r#"{"format": 1, "samples": 3, "thresholds": [0.1]}"#).unwrap();
    let told = crosstune("text", &words!["predict", run, input]).error(1);
    assert!(told.contains("calibration.json") && told.contains("has 0 labels"), "{told}");
    fs::remove_file(&place).unwrap();
    assert_eq!(predicted(&all), own, "an older run");
    let told = crosstune("text", &words!["predict", run, input, "--set", "0.8"]).error(2);
    assert!(told.contains("nothing was fitted on a validation split"), "{told}");
}

#[test]
fn without_a_validation_split_nothing_is_fitted() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let more = ["--epochs", "1", "--limit-per-class", "3"];
    let ran = train("text", &run, &[&more[..], &["--validation", "0"]].concat());
    assert!(
        ran.stderr.contains("\ncalibrated  no: there is no validation split"),
        "{}",
        ran.stderr
    );
    ran.ok();
    assert!(!names(&run).contains(&"calibration.json".to_string()));
    let left = folder.path().join("left");
    let ran = train(
        "text",
        &left,
        &[&more[..], &["--validation", "0.25", "--calibrate", "none"]].concat(),
    );
    assert!(!ran.stderr.contains("calibrated "), "{}", ran.stderr);
    ran.ok();
    let fitted = file(&left.join("calibration.json"));
    assert!(fitted.get("temperature").is_none() && fitted["conformal"].is_object(), "{fitted}");
}

#[test]
fn several_processes_fit_what_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = [("one", "1", "8"), ("two", "2", "4")].map(|(name, processes, batch)| {
        let run = folder.path().join(name);
        let more = ["--dropout", "0", "--processes", processes, "--batch-size", batch];
        train("text", &run, &[&SHORT[..], &more, &["--limit-per-class", "12"]].concat()).ok();
        file(&run.join("calibration.json"))
    });
    assert_eq!(one["samples"], two["samples"]);
    let off = one["temperature"].as_f64().unwrap() - two["temperature"].as_f64().unwrap();
    assert!(off.abs() < 1e-2, "{one} {two}");
    let count = |of: &Value| of["conformal"]["scores"].as_array().unwrap().len() as u64;
    assert_eq!((count(&one), count(&two)), (one["samples"].as_u64().unwrap(), count(&one)));
}

/// Sentences of which many are about the sea, and few about a fox; both are said, one of them rarely.
fn nature(split: &str, rows: usize, from: usize) -> String {
    let words = ["old", "a", "of", "red", "house", "to"];
    let row = |i: usize| {
        let i = i + from;
        let (sea, fox) = (i.is_multiple_of(2), i.is_multiple_of(5));
        let word = |at: usize| match (at, sea && !i.is_multiple_of(7), fox && !i.is_multiple_of(9))
        {
            (1, true, _) => "sea",
            (3, _, true) => "fox",
            _ => words[(i / 3 + at * (i % 5 + 1)) % 6],
        };
        let text = (0..5).map(word).collect::<Vec<_>>().join(" ");
        format!("{text},{},{},{split}\n", u8::from(sea), u8::from(fox))
    };
    (0..rows).map(row).collect()
}

#[test]
fn labels_apply_from_thresholds_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let [data, run, half, input] =
        ["t.csv", "run", "half", "input.txt"].map(|name| folder.path().join(name));
    let splits = [("train", 120, 0), ("validation", 100, 500), ("test", 60, 900)];
    let rows = splits.map(|(split, rows, from)| nature(split, rows, from)).concat();
    fs::write(&data, format!("text,sea,fox,split\n{rows}")).unwrap();
    fs::write(&input, "old sea of fox to\nhouse a red a old\n").unwrap();
    let line = |out: &Path, more: &[&str]| {
        let options = ["--task", "multi-label", "--label-column", "sea,fox", "--epochs", "6"];
        let mut line =
            words!["train", "--weights", tiny_bert(), "--data", &data, "--out", out].to_vec();
        line.extend(options.iter().chain(more).map(OsString::from));
        line.extend(words!["--lr", "1e-2", "--pretrained-lr", "3e-3"]);
        line
    };
    let ran = crosstune("text", &line(&run, &[]));
    assert!(ran.stderr.contains("\nthresholds  of the best F1 on validation"), "{}", ran.stderr);
    ran.ok();
    let thresholds = file(&run.join("calibration.json"))["thresholds"].clone();
    assert_eq!(thresholds.as_array().unwrap().len(), 2);
    let result = file(&run.join("result.json"));
    let told: Vec<Value> = result["test"]["labels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["threshold"].clone())
        .collect();
    assert_eq!(json!(told), thresholds);
    let text = crosstune("text", &words!["predict", run, input, "--json"]).ok();
    for line in text.lines().map(json_of) {
        let ranked = line["labels"].as_array().unwrap();
        let applies = |one: &&Value| {
            let at = usize::from(one["label"] == "fox");
            one["probability"].as_f64() > thresholds[at].as_f64()
        };
        let wanted: Vec<_> =
            ranked.iter().filter(applies).map(|one| one["label"].clone()).collect();
        assert_eq!(line["applying"], json!(wanted), "{line}");
    }
    let own = crosstune("text", &words!["predict", run, input, "--json", "--uncalibrated"]).ok();
    assert!(!own.contains("applying"), "{own}");

    crosstune("text", &line(&half, &["--thresholds", "0.5"])).ok();
    assert!(file(&half.join("calibration.json")).get("thresholds").is_none());
    let told = crosstune("text", &words!["predict", run, input, "--set", "0.9"]).error(2);
    assert!(told.contains("sets are of classes"), "{told}");
}

#[test]
fn what_a_task_does_not_have_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    for (options, said) in [
        (["--calibrate", "temperature", "--task", "regression"], "--calibrate: it needs classes"),
        (["--thresholds", "best-f1", "--task", "single-label"], "--thresholds: it needs --task"),
    ] {
        let told = train("text", &run, &options).error(2);
        assert!(told.starts_with(said), "{told}");
        assert!(!run.exists());
    }
}

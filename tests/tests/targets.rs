//! Several labels and numbers, from a data set to predictions and exports, in each modality.

use std::{ffi::OsString, fs, path::Path};

use serde_json::{Value, json};

use crate::support::{Ran, crosstune, tiny_bert, words};

/// Long enough for the tiny BERT to learn what is easy.
const LONG: [&str; 6] = ["--epochs", "15", "--lr", "1e-2", "--pretrained-lr", "3e-3"];

fn trained(modality: &str, data: &Path, run: &Path, more: &[&str]) -> Ran {
    let mut line = words!["train", "--weights", tiny_bert(), "--data", data, "--out", run].to_vec();
    line.extend(more.iter().map(OsString::from));
    crosstune(modality, &line)
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e} in {text:?}"))
}

/// Sentences of six words: how often one is `good` is asked for, times ten and above a hundred, and how
/// far from two it is.
fn counted() -> String {
    let words = ["the", "a", "of", "red", "house", "sea"];
    let row = |i: usize| {
        let good = i % 5;
        let word = |at: usize| match (at + i) % 6 < good {
            true => "good",
            false => words[(i / 7 + at * (i % 11 + 1)) % 6],
        };
        let text: Vec<_> = (0..6).map(word).collect();
        let split = if i.is_multiple_of(4) { "test" } else { "train" };
        format!("{},{},{},{split}\n", text.join(" "), 100 + 10 * good, good as f64 - 2.)
    };
    format!("text,Score,away,split\n{}", (0..160).map(row).collect::<String>())
}

#[test]
fn sentences_are_answered_with_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let [data, run, hf, input] =
        ["t.csv", "run", "hf", "input.txt"].map(|name| folder.path().join(name));
    fs::write(&data, counted()).unwrap();
    let asked = ["--task", "regression", "--label-column", "score,away"];
    let kept = ["--head", "pretrained", "--pool", "first"];
    trained("text", &data, &run, &[&asked[..], &LONG, &kept].concat()).ok();
    let result = json_of(&fs::read_to_string(run.join("result.json")).unwrap());
    assert!(result["test"]["r2"].as_f64().unwrap() > 0.5, "{}", result["test"]);
    let spec = json_of(&fs::read_to_string(run.join("spec.json")).unwrap());
    assert_eq!(spec["task"], "regression");
    assert_eq!(spec["labels"], json!(["Score", "away"]));
    // The layout is remembered, and the model is the one that was measured.
    let again = json_of(&crosstune("text", &words!["evaluate", run, data, "--json"]).ok());
    let r2 = |value: &Value| value["r2"].as_f64().unwrap();
    assert!((r2(&again["evaluation"]) - r2(&result["test"])).abs() < 1e-6);

    fs::write(&input, "good the good red good sea\n").unwrap();
    let line = json_of(&crosstune("text", &words!["predict", run, input, "--json"]).ok());
    assert_eq!(line["values"][0]["name"], "Score");
    let score = line["values"][0]["value"].as_f64().unwrap();
    assert!((95.0..150.0).contains(&score), "{score} is in the unit of the table");
    let text = crosstune("text", &words!["predict", run, input]).ok();
    assert!(text.contains("\tScore 1") && text.contains("\taway "), "{text}");

    // What transformers gets answers in the unit of the table, too.
    crosstune("text", &words!["export", run, "--out", hf]).ok();
    let config = json_of(&fs::read_to_string(hf.join("config.json")).unwrap());
    assert_eq!(config["problem_type"], "regression");
    let theirs = json_of(&crosstune("text", &words!["predict", hf, input, "--json"]).ok());
    let difference = theirs["values"][0]["value"].as_f64().unwrap() - score;
    assert!(difference.abs() < 1e-2, "{theirs}, not {score}");

    let line = words!["check", "--data", data, "--json", "--task", "regression"];
    let line = [&line[..], &words!["--label-column", "score"]].concat();
    let report = json_of(&crosstune("text", &line).stdout);
    assert_eq!(report["values"][0]["median"], 120.0);
    assert_eq!(report["values"][0]["greatest"], 140.0);
}

/// A picture of one brightness, 8 × 8, as BMP.
fn picture(brightness: u8) -> Vec<u8> {
    let mut file = b"BM".to_vec();
    for field in [54u32 + 192, 0, 54, 40, 8, 8, 24 << 16 | 1, 0, 192, 2835, 2835, 0, 0] {
        file.extend(field.to_le_bytes());
    }
    file.extend([brightness; 192]);
    file
}

#[test]
fn pictures_are_answered_with_their_brightness() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    for split in ["train", "test"] {
        let to = folder.path().join("data").join(split);
        fs::create_dir_all(&to).unwrap();
        for i in 0..60usize {
            let brightness = (i * 37 % 251) as u8;
            fs::write(to.join(format!("{brightness}_{i}.bmp")), picture(brightness)).unwrap();
        }
    }
    let asked = ["--task", "regression", "--label-pattern", r"^(?<label>\d+)_"];
    trained("image", &folder.path().join("data"), &run, &[&asked[..], &LONG].concat()).ok();
    let result = json_of(&fs::read_to_string(run.join("result.json")).unwrap());
    assert!(result["test"]["r2"].as_f64().unwrap() > 0.5, "{}", result["test"]);
}

/// A second of tones of these frequencies, 16-bit WAV at 8 kHz.
fn tones(frequencies: &[f64], phase: f64) -> Vec<u8> {
    let mut file = b"RIFF".to_vec();
    file.extend((36u32 + 16_000).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(8000u32.to_le_bytes());
    file.extend(16_000u32.to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(16_000u32.to_le_bytes());
    for i in 0..8000 {
        let at = f64::from(i) / 8000.;
        let tone = |f: &f64| (std::f64::consts::TAU * f * at + phase).sin();
        let hiss = (f64::from(i) * 12.9898 + phase).sin() * 0.02;
        let sum = 0.3 * frequencies.iter().map(tone).sum::<f64>() + hiss;
        file.extend(((sum * 16_000.) as i16).to_le_bytes());
    }
    file
}

#[test]
fn recordings_are_answered_with_several_labels() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let mut table = "path,low,high,split\n".to_string();
    for i in 0..80usize {
        let (low, high) = (i % 2, i / 2 % 2);
        let chosen = [(low, 300.), (high, 2500.)].into_iter().filter(|(on, _)| *on == 1);
        let tones = tones(&chosen.map(|(_, f)| f).collect::<Vec<_>>(), i as f64);
        fs::write(data.join(format!("{i}.wav")), tones).unwrap();
        let split = if i % 4 == i / 4 % 4 { "test" } else { "train" };
        table += &format!("{i}.wav,{low},{high},{split}\n");
    }
    let table_path = data.join("t.csv");
    fs::write(&table_path, table).unwrap();
    let asked = ["--task", "multi-label", "--label-column", "low,high", "--balance", "weights"];
    trained("audio", &table_path, &run, &[&asked[..], &LONG].concat()).ok();
    let result = json_of(&fs::read_to_string(run.join("result.json")).unwrap());
    assert!(result["test"]["macro_f1"].as_f64().unwrap() > 0.8, "{}", result["test"]);
    let file = data.join("0.wav");
    let line = json_of(&crosstune("audio", &words!["predict", run, file, "--json"]).ok());
    assert_eq!(line["labels"].as_array().unwrap().len(), 2, "all labels: {line}");
    let message = crosstune("audio", &words!["evaluate", run, table_path, "--task", "regression"]);
    assert!(message.error(2).starts_with("--task: this model was trained for multi-label"));
}

#[test]
fn what_cannot_be_asked_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let [data, run] = ["t.csv", "run"].map(|name| folder.path().join(name));
    let good = "text,label,split\na,1,train\nb,2,train\nc,3,test\n";
    for (table, options, code, said) in [
        (good, &["--task", "regression", "--balance", "weights"][..], 2, "--balance: it needs"),
        (good, &["--task", "regression", "--label-smoothing", "0.1"], 2, "--label-smoothing: it"),
        (good, &["--task", "multi-label", "--balance", "sampling"], 2, "--balance sampling: it"),
        (good, &["--task", "regression", "--limit-per-class", "3"], 2, "--limit-per-class: "),
        (good, &["--task", "multi-label", "--label-separator", ""], 2, "--label-separator"),
        (good, &["--task", "ranking"], 2, "--task"),
        (good, &["--task", "multi-label"], 1, "the label \"3\" is not among those"),
        (
            "text,label\na,1\nb,x\n",
            &["--task", "regression"],
            1,
            "t.csv:3: the column \"label\" has",
        ),
        (
            "text,label\na,1\nb,nan\n",
            &["--task", "regression"],
            1,
            "has \"nan\", expected a finite",
        ),
        ("text,label\na,1\nb,1\n", &["--task", "regression"], 2, "so there is nothing to learn"),
        ("text,label\na,x\nb,\n", &[], 1, "t.csv:3: the row has no label"),
    ] {
        fs::write(&data, table).unwrap();
        let message = trained("text", &data, &run, options).error(code);
        assert!(message.contains(said), "{message:?} does not say {said:?}");
        assert!(!run.exists());
    }
}

//! Transcription: recordings too short for their texts, and how texts are decoded and measured.

use std::{fs, path::Path};

use serde_json::Value;

use crate::support::{Ran, crosstune, root, words};

/// A table of spoken digits, each with its text and its speaker.
fn table(folder: &Path, name: &str, split: &str, more: &str) {
    let names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
    let samples = root().join("crates/audio/samples/digits").join(split);
    let mut files: Vec<_> = fs::read_dir(samples).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    let mut text = "path\ttext\tspeaker\n".to_string();
    for file in files.iter().step_by(6) {
        let called = file.file_name().unwrap().to_str().unwrap();
        let [digit, speaker, ..] = called.split('_').collect::<Vec<_>>()[..] else { panic!() };
        let word = names[digit.parse::<usize>().unwrap()];
        text += &format!("{}\t{word} {word}\t{speaker}\n", file.display());
    }
    fs::write(folder.join(name), text + more).unwrap();
}

fn train(folder: &Path, data: &str, more: &[&str]) -> Ran {
    let weights = root().join("crates/audio/tests/fixtures/tiny-wav2vec2");
    let mut all = words![
        "train",
        "--task",
        "transcribe",
        "--weights",
        weights,
        "--data",
        folder.join(data),
        "--out",
        folder.join("run"),
        "--epochs",
        "1",
        "--batch-size",
        "8",
        "--group-column",
        "speaker",
        "--text-column",
        "text",
        "--validation",
        "0.2"
    ]
    .to_vec();
    all.extend(more.iter().map(Into::into));
    crosstune("audio", &all)
}

#[test]
fn texts_are_decoded_and_measured() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let first = root().join("crates/audio/samples/digits/train/0_gb-f4_0.wav");
    let long = format!("{}\t{}\tx\n", first.display(), "ten ".repeat(500));
    table(folder, "bad.tsv", "train", &long);
    table(folder, "test.tsv", "test", "");

    let error = train(folder, "bad.tsv", &[]).error(1);
    assert!(error.starts_with("1 sample cannot be used (--skip-bad leaves it out):"), "{error}");
    assert!(
        error.contains("bad.tsv:42: too short for its text, which takes 1999 positions at least"),
        "{error}"
    );
    assert!(!folder.join("run").exists());
    let weights = root().join("crates/audio/tests/fixtures/tiny-wav2vec2");
    let compared = crosstune(
        "audio",
        &words![
            "compare",
            "--task",
            "transcribe",
            "--weights",
            weights,
            "--data",
            folder.join("bad.tsv"),
            "--eval-data",
            folder.join("test.tsv"),
            "--text-column",
            "text",
            "--out",
            folder.join("compared"),
            "--epochs",
            "1"
        ],
    );
    let error = compared.error(1);
    assert!(error.contains("bad.tsv:42: too short for its text"), "{error}");
    train(folder, "bad.tsv", &["--skip-bad"]).ok();
    let result = fs::read_to_string(folder.join("run/result.json")).unwrap();
    let result: Value = serde_json::from_str(&result).unwrap();
    assert_eq!(result["samples"]["skipped"].as_array().map(Vec::len), Some(1));

    let evaluate = |data: &str, more: &[&str]| {
        let mut all = words![
            "evaluate",
            folder.join("run"),
            folder.join(data),
            "--json",
            "--group-column",
            "speaker"
        ]
        .to_vec();
        all.extend(more.iter().map(Into::into));
        crosstune("audio", &all)
    };
    let greedy: Value = serde_json::from_str(&evaluate("test.tsv", &[]).ok()).unwrap();
    let metrics = &greedy["evaluation"];
    let [low, high] = [0, 1].map(|at| metrics["wer_interval"][at].as_f64().unwrap());
    let wer = metrics["wer"].as_f64().unwrap();
    assert!(low <= wer && wer <= high, "{metrics}");
    let groups = metrics["groups"].as_array().unwrap();
    let samples: u64 = groups.iter().map(|group| group["samples"].as_u64().unwrap()).sum();
    assert!(groups.len() > 1 && Some(samples) == metrics["samples"].as_u64(), "{metrics}");
    // What no alignment fits is measured all the same.
    let short: Value = serde_json::from_str(&evaluate("bad.tsv", &[]).ok()).unwrap();
    assert!(short["evaluation"]["loss"].as_f64().unwrap().is_finite());
    assert_eq!(short["evaluation"]["samples"], 41);

    let arpa = |word: &str| {
        let text = format!(
            "\\data\\\nngram 1=3\n\n\\1-grams:\n-1\t{word}\n-1\t<s>\n-1\t</s>\n\n\\end\\\n"
        );
        fs::write(folder.join("lm.arpa"), text).unwrap();
        folder.join("lm.arpa").display().to_string()
    };
    let searched =
        evaluate("test.tsv", &["--beam", "5", "--lm", &arpa("two"), "--lm-weight", "0.3"]);
    let searched: Value = serde_json::from_str(&searched.ok()).unwrap();
    assert_eq!(searched["evaluation"]["samples"], metrics["samples"]);
    let refused = evaluate("test.tsv", &["--lm", &arpa("TWO")]).error(1);
    assert!(refused.contains("none of its 3 words can be written"), "{refused}");
    fs::write(folder.join("lm.arpa"), "\\data\\\nngram 1=x\n").unwrap();
    let refused =
        evaluate("test.tsv", &["--lm", folder.join("lm.arpa").to_str().unwrap()]).error(1);
    assert!(refused.contains("lm.arpa:2: expected \"ngram 1=\""), "{refused}");
    let refused = evaluate("test.tsv", &["--word-bonus", "1"]).error(2);
    assert!(refused.starts_with("--word-bonus: only a beam search has one"), "{refused}");
    let refused = evaluate("test.tsv", &["--symbols", "symbols.txt"]).error(2);
    assert!(refused.starts_with("--symbols: the model has symbols of its own"), "{refused}");
}

//! What `predict` writes: tables and lines of JSON, in files or printed.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::support::{crosstune, names, root, train, words};

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn answers_are_written_as_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let run = folder.join("run");
    train("text", &run, &["--epochs", "1", "--limit-per-class", "4"]).ok();
    let input = folder.join("input.csv");
    fs::write(&input, "text\n\"one, \"\"two\"\"\"\n\"three\nfour\"\nfive\n").unwrap();
    let out = folder.join("out.csv");
    let predict = words!["predict", run, input, "--top", "2"].to_vec();
    let with = |more: &[&str]| {
        let more = more.iter().map(Into::into);
        crosstune("text", &predict.iter().cloned().chain(more).collect::<Vec<_>>())
    };
    let to = |path: &Path| with(&["--out", path.to_str().unwrap()]);
    assert_eq!(to(&out).ok(), "");
    let csv = read(&out);
    assert!(csv.starts_with("input,text,label,probability,label_2,probability_2\n"), "{csv}");
    assert!(csv.contains("input.csv:2,\"one, \"\"two\"\"\","), "{csv}");
    assert!(csv.contains(",\"three\nfour\","), "{csv}");
    // A table that was written is one to read, and has the same answers.
    let again = folder.join("again.tsv");
    let words = words!["predict", run, out, "--top", "2", "--input-column", "text", "--out", again];
    crosstune("text", &words).ok();
    let probabilities = |text: &str, delimiter: char| -> Vec<f64> {
        text.lines().filter_map(|line| line.rsplit(delimiter).next()?.parse().ok()).collect()
    };
    let tsv = read(&again);
    assert_eq!(tsv.lines().count(), 4, "a row is a line: {tsv}");
    assert_eq!(probabilities(&tsv, '\t'), probabilities(&csv, ','));
    assert_eq!(probabilities(&csv, ',').len(), 3);
    // JSON Lines, in a file as on stdout.
    let lines = folder.join("lines.jsonl");
    to(&lines).ok();
    assert_eq!(read(&lines), with(&["--json"]).ok());
    assert_eq!(with(&["--output-format", "csv"]).ok(), csv);

    assert!(to(&out).error(2).contains("out.csv exists; name another, or add --overwrite"));
    with(&["--out", out.to_str().unwrap(), "--overwrite"]).ok();
    assert!(to(&folder.join("out.xlsx")).error(2).contains("none of .csv, .tsv and .jsonl"));
    let missing = folder.join("missing.csv");
    let words = words!["predict", run, folder.join("no.csv"), "--out", missing];
    crosstune("text", &words).error(2);
    let expected = ["again.tsv", "input.csv", "lines.jsonl", "out.csv", "run"];
    assert_eq!(names(folder), expected, "nothing is half-written");
}

/// What transformers' pipeline says, by `xtask/scripts/fixtures/text_tagging.py`.
#[test]
fn entities_are_those_of_transformers_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let model = root().join("crates/text/tests/fixtures/tagging/bert-tags");
    let expected: Value = serde_json::from_str(&read(&model.join("expected.json"))).unwrap();
    let texts = expected["texts"].as_array().unwrap();
    let input = folder.path().join("input.jsonl");
    let lines: String = texts.iter().map(|text| format!("{}\n", json!({"text": text}))).collect();
    fs::write(&input, lines).unwrap();
    let out = folder.path().join("out.jsonl");
    crosstune("text", &words!["predict", model, input, "--out", out]).ok();
    let said = read(&out);
    let mut count = 0;
    for (at, line) in said.lines().enumerate() {
        let line: Value = serde_json::from_str(line).unwrap();
        let (ours, theirs) = (&line["entities"], &expected["entities"][at]);
        let (ours, theirs) = (ours.as_array().unwrap(), theirs.as_array().unwrap());
        assert_eq!(ours.len(), theirs.len(), "{line}");
        // Space around a cell of a table is no part of its text.
        let text = texts[at].as_str().unwrap();
        let before = text.chars().take_while(|letter| letter.is_whitespace()).count() as u64;
        for (ours, theirs) in ours.iter().zip(theirs) {
            for name in ["entity_group", "word"] {
                assert_eq!(ours[name], theirs[name], "{ours}, not {theirs}");
            }
            for name in ["start", "end"] {
                let place = ours[name].as_u64().map(|place| place + before);
                assert_eq!(place, theirs[name].as_u64(), "{ours}, not {theirs}");
            }
            let score = |of: &Value| of["score"].as_f64().unwrap();
            assert!((score(ours) - score(theirs)).abs() < 1e-5, "{ours}, not {theirs}");
        }
        count += ours.len();
    }
    assert_eq!(said.lines().count(), texts.len());
    let tsv = crosstune("text", &words!["predict", model, input, "--output-format", "tsv"]).ok();
    assert!(tsv.starts_with("input\ttext\tentity_group\tscore\tword\tstart\tend\n"), "{tsv}");
    assert_eq!(tsv.lines().count(), 1 + count, "a row for each");
    let said = crosstune("text", &words!["predict", model, input]).ok();
    assert_eq!(said.lines().count(), texts.len(), "a line for each input");
    assert!(said.contains("LOC fox 16-19 47.7 %"), "{said}");
}

#[test]
fn transcripts_have_words_with_times() {
    let folder = tempfile::tempdir().unwrap();
    let (folder, recordings) = (folder.path(), root().join("crates/audio/samples/digits/test"));
    let mut files: Vec<_> = fs::read_dir(recordings).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    files.truncate(6);
    let rows: String = files.iter().map(|file| format!("{}\ta\n", file.display())).collect();
    let data = folder.join("data.tsv");
    fs::write(&data, format!("path\ttext\n{rows}")).unwrap();
    let weights = root().join("crates/audio/tests/fixtures/tiny-wav2vec2");
    let run = folder.join("run");
    // One letter: it is heard soon.
    let words = words![
        "train",
        "--task",
        "transcribe",
        "--weights",
        weights,
        "--data",
        data,
        "--text-column",
        "text",
        "--validation",
        "0",
        "--lr",
        "3e-2",
        "--epochs",
        "30",
        "--out",
        run
    ];
    crosstune("audio", &words).ok();
    let json = crosstune("audio", &words!["predict", run, data, "--json"]).ok();
    let heard: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(heard.len(), 6);
    let mut count = 0;
    for line in &heard {
        let transcript = &line["transcript"];
        let words = transcript["words"].as_array().unwrap();
        let text: Vec<_> = words.iter().map(|word| word["word"].as_str().unwrap()).collect();
        assert_eq!(transcript["text"], text.join(" "));
        for word in words {
            let [start, end] = ["start", "end"].map(|at| word[at].as_f64().unwrap());
            assert!(start < end && end < 2., "{word}");
        }
        count += words.len();
    }
    let csv = crosstune("audio", &words!["predict", run, data, "--output-format", "csv"]).ok();
    assert!(csv.starts_with("input,text\n") && csv.lines().count() == 7, "{csv}");
    let words = words!["predict", run, data, "--output-format", "csv", "--times"];
    let csv = crosstune("audio", &words).ok();
    assert!(csv.starts_with("input,word,start,end,probability\n"), "{csv}");
    assert_eq!(csv.lines().count(), 1 + count);
    let said = crosstune("audio", &words!["predict", run, data, "--times"]).ok();
    assert_eq!(said.lines().count(), 6);
}

//! What a file is, to each command alike: tables, folders, texts, and what is none of them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::{crosstune, root, tiny_bert, train, words};

/// The place and the most probable label of each line that `predict --json` prints.
fn places(stdout: &str, folder: &Path) -> Vec<String> {
    let place = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["labels"].as_array().map(Vec::len), Some(1), "{line}");
        let input = PathBuf::from(line["input"].as_str().unwrap());
        input.strip_prefix(folder).unwrap().display().to_string()
    };
    stdout.lines().map(place).collect()
}

#[test]
fn a_table_is_one_to_train_and_to_predict() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let rows = |separator: char| -> String {
        let row = |at: usize| {
            format!("{at}{separator}\"a {} film, it is\"{separator}{}\n", at % 3, at % 2)
        };
        (0..8).map(row).collect()
    };
    let labelled = file("labelled.csv", &format!(",review,mood\n{}", rows(',')));
    let run = folder.path().join("run");
    let words = words![
        "train",
        "--weights",
        tiny_bert(),
        "--data",
        labelled,
        "--out",
        run,
        "--epochs",
        "1",
        "--input-column",
        "review",
        "--label-column",
        "mood"
    ];
    crosstune("text", &words).ok();

    let semicolons = file("semicolons.csv", &format!("id;review;mood\n{}", rows(';')));
    let unlabelled = file("unlabelled.csv", "review\n\"one\ntwo\"\nthree\n");
    let lines = file("lines.txt", "one\n\nthree, \"four\"\n");
    let json = file("json", "{\"review\": \"one\"}\n{\"review\": \"two\"}\n");
    let words = words![
        "predict", run, "--json", "--top", "1", labelled, semicolons, unlabelled, lines, json
    ];
    let printed = crosstune("text", &words).ok();
    let mut expected: Vec<String> = (2..10).map(|line| format!("labelled.csv:{line}")).collect();
    expected.extend((2..10).map(|line| format!("semicolons.csv:{line}")));
    expected.extend(
        ["unlabelled.csv:2", "unlabelled.csv:4", "lines.txt:1", "lines.txt:3", "json:1", "json:2"]
            .map(String::from),
    );
    assert_eq!(places(&printed, folder.path()), expected);
    assert!(printed.contains("\"a 0 film, it is\"") && printed.contains("one\\ntwo"), "{printed}");

    // A row that cannot be used is named; the others are predicted if asked.
    let holes = file("holes.csv", "id,review,mood\n1,one,1\n2,,0\n3,three,0\n");
    let message = crosstune("text", &words!["predict", run, holes]).error(1);
    assert!(
        message.contains("holes.csv:3: the row has no text in column 2 of 3; --skip-bad"),
        "{message}"
    );
    let ran =
        crosstune("text", &words!["predict", run, "--json", "--top", "1", "--skip-bad", holes]);
    assert!(ran.stderr.contains("holes.csv:3: the row has no text"), "{}", ran.stderr);
    assert_eq!(places(&ran.ok(), folder.path()), ["holes.csv:2", "holes.csv:4"]);
    let message = crosstune(
        "text",
        &words!["check", "--data", holes, "--input-column", "review", "--label-column", "mood"],
    );
    assert!(
        message.stdout.contains("1 sentences cannot be read:") && message.code == 1,
        "{}",
        message.stdout
    );
}

#[test]
fn a_picture_is_one_by_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let samples = root().join("crates/image/samples/digits/train");
    let mut classes: Vec<_> = fs::read_dir(samples).unwrap().map(|f| f.unwrap().path()).collect();
    classes.sort();
    let data = folder.path().join("data");
    for class in &classes[..2] {
        let to = data.join(class.file_name().unwrap());
        fs::create_dir_all(&to).unwrap();
        let mut files: Vec<_> = fs::read_dir(class).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        // Without an ending, and with a wrong one.
        fs::copy(&files[0], to.join("plain")).unwrap();
        fs::copy(&files[1], to.join("named.dat")).unwrap();
        fs::write(to.join("notes.md"), "BMW is no picture").unwrap();
    }
    let checked = crosstune("image", &words!["check", "--data", data, "--json"]).ok();
    let checked: serde_json::Value = serde_json::from_str(&checked).unwrap();
    assert_eq!(checked["samples"]["train"], 4);
    assert_eq!(checked["ignored"], serde_json::json!([["md", 2]]));

    let run = folder.path().join("run");
    train("image", &run, &["--epochs", "1", "--max-steps", "1"]).ok();
    let ran = crosstune("image", &words!["predict", run, "--json", "--top", "1", data]);
    assert!(ran.stderr.contains("2 .md, which are not pictures"), "{}", ran.stderr);
    assert_eq!(places(&ran.ok(), &data).len(), 4);
    // One that is none is named, beside those that are.
    let notes = data.join(classes[0].file_name().unwrap()).join("notes.md");
    let message = crosstune("image", &words!["predict", run, notes, data]).error(1);
    assert!(message.contains("notes.md: ") && message.contains("--skip-bad"), "{message}");
    let ran = crosstune(
        "image",
        &words!["predict", run, "--json", "--top", "1", "--skip-bad", notes, data],
    );
    assert!(ran.stderr.contains("notes.md: "), "{}", ran.stderr);
    assert_eq!(places(&ran.ok(), &data).len(), 4);
}

#[test]
fn a_pattern_may_begin_with_a_dash() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("a-1.txt", "one"), ("b-2.txt", "two")] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let words = words!["check", "--data", folder.path(), "--label-pattern", r"-(\d+)"];
    assert!(crosstune("text", &words).ok().contains("classes"), "the pattern is read");
}

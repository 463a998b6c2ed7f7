//! Every layout of a data set, and everything that can be wrong with one.

use std::fs;
use std::path::Path;

use regex::Regex;
use tempfile::TempDir;

use super::dataset::{Dataset, evaluation};
use super::item::{Input, Item};
use super::layout::{InputKind, Layout};

// use super::*;
use crate::error::Error;
use crate::task::{Task, TaskConfig};

mod bad_tests;

mod input_tests;

mod left_out_tests;

mod notes_tests;

#[cfg(feature = "parquet")]
mod parquet_tests;

mod shard_tests;

mod table_tests;

mod tagging_tests;

mod target_tests;

mod transcript_bad_tests;

mod transcript_tests;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

/// A model's task and labels.
fn asked_of(task: Task, labels: &[String]) -> TaskConfig<'_> {
    TaskConfig { task, labels, scales: &[], vocabulary: None, calibration: None }
}

fn pictures() -> Layout {
    Layout::new(InputKind::Files, "pictures", &["jpg", "jpeg", "png"])
}

fn texts() -> Layout {
    Layout::new(InputKind::Texts, "sentences", &["txt"])
}

fn patterns(label: &str, test: Option<&str>) -> Layout {
    Layout {
        label_pattern: Some(Regex::new(label).unwrap()),
        test_pattern: test.map(|t| Regex::new(t).unwrap()),
        ..pictures()
    }
}

/// `label:name` of every item, for comparison.
fn shown(items: &[Item], labels: &[String]) -> Vec<String> {
    let name = |item: &Item| match &*item.input.loaded().unwrap() {
        Input::File(path) => path.file_name().unwrap().to_string_lossy().into_owned(),
        Input::Bytes { name, .. } => name.clone(),
        Input::Text(text) => text.clone(),
        Input::Pair(pair) => pair.join("|"),
        Input::Words(words) => words.join(" "),
        Input::Stored(_) => unreachable!("it is loaded"),
    };
    items.iter().map(|i| format!("{}:{}", i.target.named(labels), name(i))).collect()
}

#[test]
fn a_folder_per_class() {
    let root = folder(&[
        ("dog/b.JPG", ""),
        ("cat/a.png", ""),
        ("cat/deep/c.jpeg", ""),
        ("cat/notes.md", ""),
        ("cat/.hidden.jpg", ""),
        (".thumbnails/x.jpg", ""),
        ("README.md", ""),
    ]);
    let data = Dataset::open(root.path(), &pictures()).unwrap();
    assert_eq!(data.labels, ["cat", "dog"]);
    assert_eq!(shown(&data.train, &data.labels), ["cat:a.png", "cat:c.jpeg", "dog:b.JPG"]);
    assert!(data.validation.is_empty() && data.test.is_empty());
    assert_eq!(data.ignored, [("md".to_string(), 2)]);
}

#[test]
fn splits_are_folders_by_their_usual_names() {
    let root = folder(&[
        ("train/10/a.png", ""),
        ("train/9/b.png", ""),
        ("valid/9/c.png", ""),
        ("test/10/d.png", ""),
    ]);
    let data = Dataset::open(root.path(), &pictures()).unwrap();
    assert_eq!(data.labels, ["9", "10"], "numbers sort by size");
    assert_eq!(shown(&data.validation, &data.labels), ["9:c.png"]);
    assert_eq!(shown(&data.test, &data.labels), ["10:d.png"]);
}

#[test]
fn labels_stand_in_file_names() {
    let root = folder(&[("7_ann_0.png", ""), ("7_bob_9.png", ""), ("3_ann_5.png", "")]);
    let layout = patterns(r"^(?<label>\d)_", Some(r"_[0-4]\.png$"));
    let data = Dataset::open(root.path(), &layout).unwrap();
    assert_eq!(shown(&data.train, &data.labels), ["3:3_ann_5.png", "7:7_bob_9.png"]);
    assert_eq!(shown(&data.test, &data.labels), ["7:7_ann_0.png"]);

    let split = folder(&[("train/1_a.png", ""), ("train/2_a.png", ""), ("test/2_b.png", "")]);
    let data = Dataset::open(split.path(), &patterns(r"^(\d)_", None)).unwrap();
    assert_eq!(shown(&data.test, &data.labels), ["2:2_b.png"], "the first group serves, too");
}

#[test]
fn tables_with_and_without_a_header() {
    for (name, text) in [
        ("bare.tsv", "so \"good\tpos\nbad, really\tneg\n\n"),
        ("header.tsv", "label\ttext\npos\tso \"good\nneg\tbad, really\n"),
        ("quoted.csv", "text,stars,label\n\"so \"\"good\",5,pos\n\"bad, really\",1,neg\n"),
    ] {
        let root = folder(&[(name, text)]);
        let data = Dataset::open(root.path().join(name), &texts()).unwrap();
        assert_eq!(
            shown(&data.train, &data.labels),
            ["pos:so \"good", "neg:bad, really"],
            "{name}"
        );
    }
}

#[test]
fn columns_by_name_and_by_number() {
    let root = folder(&[("t.csv", "id,review,mood\n1,fine,good\n2,poor,bad\n")]);
    let named = |input: &str, label: &str| Layout {
        input_column: Some(input.into()),
        label_column: Some(label.into()),
        ..texts()
    };
    let path = root.path().join("t.csv");
    for layout in [named("review", "mood"), named("2", "Mood")] {
        let data = Dataset::open(&path, &layout).unwrap();
        assert_eq!(shown(&data.train, &data.labels), ["good:fine", "bad:poor"]);
    }
    let message = Dataset::open(&path, &named("review", "feeling")).unwrap_err().to_string();
    assert!(message.contains("no column \"feeling\"") && message.contains("id, review, mood"));
}

#[test]
fn a_table_of_paths_with_splits() {
    let table = "path,label,split\nx/a.png,cat,train\nx/b.png,dog,train\nx/c.png,dog,dev\n";
    let root = folder(&[("t.csv", table), ("x/a.png", ""), ("x/b.png", ""), ("x/c.png", "")]);
    let data = Dataset::open(root.path().join("t.csv"), &pictures()).unwrap();
    assert_eq!(shown(&data.train, &data.labels), ["cat:a.png", "dog:b.png"]);
    assert_eq!(shown(&data.validation, &data.labels), ["dog:c.png"]);
}

#[test]
fn a_folder_of_tables() {
    let root = folder(&[("train.tsv", "a\t0\nb\t1\n"), ("test.tsv", "c\t1\n"), ("README.md", "")]);
    let data = Dataset::open(root.path(), &texts()).unwrap();
    assert_eq!(shown(&data.train, &data.labels), ["0:a", "1:b"]);
    assert_eq!(shown(&data.test, &data.labels), ["1:c"]);
    let test = evaluation(root.path(), &texts(), data.config(), "DATA").unwrap().items;
    assert_eq!(test, data.test, "of a data set with a test split, that is evaluated");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let twelve: String = (0..12).map(|i| format!("gone{i}.png,a\n")).collect();
    /// The files, the path to open, how, and what the message says.
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a Layout, &'a [&'a str]);
    let cases: &[Case<'_>] = &[
        (
            &[("cat/a.png", ""), ("dog/notes.md", "")],
            "",
            &pictures(),
            &["dog", "no pictures (.jpg, .jpeg or .png)"],
        ),
        (&[("a.png", "")], "", &pictures(), &["one folder per class", "--label-pattern"]),
        (&[("cat/a.png", "")], "", &pictures(), &["\"cat\"", "two classes"]),
        (
            &[("t.csv", "a.png,cat\nb.png,dog\n"), ("a.png", "")],
            "t.csv",
            &pictures(),
            &["t.csv:2", "b.png", "not there"],
        ),
        (
            &[("t.csv", &twelve)],
            "t.csv",
            &pictures(),
            &["12 pictures", "--skip-bad", "gone9.png", "and 2 more"],
        ),
        (
            &[("train/1/a.png", ""), ("train/2/a.png", ""), ("test/3/odd.png", "")],
            "",
            &pictures(),
            &["odd.png", "\"3\"", "1, 2"],
        ),
        (
            &[("1_a.png", ""), ("2_a.png", ""), ("odd.png", "")],
            "",
            &patterns(r"^(\d)_", None),
            &["1 file names", "odd.png"],
        ),
        (&[("t.tsv", "")], "t.tsv", &texts(), &["empty"]),
        (&[("t.tsv", "text\tlabel\n")], "t.tsv", &texts(), &["no rows"]),
        (&[("t.tsv", "one\nrow\n")], "t.tsv", &texts(), &["one column"]),
        (&[("t.tsv", "a\t1\nb\t\n")], "t.tsv", &texts(), &["t.tsv:2", "no label", "column 2"]),
        (&[("t.json", "[]")], "t.json", &texts(), &[".csv, .tsv, .jsonl", "--format"]),
        (
            &[("t.csv", "text,label,split\na,1,train\nb,2,later\n")],
            "t.csv",
            &texts(),
            &["t.csv:3", "\"later\""],
        ),
    ];
    for (files, at, layout, said) in cases {
        let root = folder(files);
        let message = Dataset::open(root.path().join(at), layout).unwrap_err().to_string();
        for part in *said {
            assert!(message.contains(part), "{message:?} does not say {part:?}");
        }
    }
}

#[test]
fn a_path_that_is_not_there_is_wrong_use() {
    let error = Dataset::open(Path::new("no/such/folder"), &pictures()).unwrap_err();
    assert!(error.is_usage_error());
    assert_eq!(error.to_string(), "--data: no/such/folder: no such file or folder");
}

#[test]
fn text_that_is_not_utf8_is_located() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("t.tsv");
    fs::write(&path, b"fine\t1\ncaf\xe9\t2\n").unwrap();
    let message = Dataset::open(&path, &texts()).unwrap_err().to_string();
    assert!(message.contains("t.tsv:2: not UTF-8: byte 4 of the line is 0xE9"), "{message}");
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_back_is_an_error() {
    let root = folder(&[("cat/a.png", ""), ("dog/b.png", "")]);
    std::os::unix::fs::symlink(root.path().join("cat"), root.path().join("cat/again")).unwrap();
    let error = Dataset::open(root.path(), &pictures()).unwrap_err();
    assert!(matches!(error, Error::Data { .. }), "{error}");
    assert!(error.to_string().contains("leads back"), "{error}");
}

//! Tar files in WebDataset's layout, shards, and what may be wrong with them.

use std::fs;
use std::path::Path;

use regex::Regex;
use tempfile::TempDir;

use super::*;
use crate::data::inputs::inputs;
use crate::data::item::Input;
use crate::task::{Target, Task};

/// A tar file of members.
fn packed(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(vec![]);
    for (name, data) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, *data).unwrap();
    }
    tar.into_inner().unwrap()
}

/// A header as it is, with a name that no writer would take.
fn raw(name: &[u8], size: u64) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_size(size);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn shards(files: &[(&str, Vec<u8>)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, contents) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, contents).unwrap();
    }
    root
}

fn bytes(item: &Item) -> Vec<u8> {
    match &*item.input.loaded().unwrap() {
        Input::Bytes { bytes, .. } => bytes.to_vec(),
        other => panic!("no file: {other:?}"),
    }
}

fn name(item: &Item) -> &str {
    item.place.path.file_name().unwrap().to_str().unwrap()
}

const CAT: &[u8] = b"\x89PNG a cat";
const DOG: &[u8] = b"\x89PNG a dog";

#[test]
fn members_of_a_sample_are_called_alike() {
    let first = packed(&[
        ("./a/0001.png", CAT),
        ("a/0001.cls", b"0\n"),
        ("._0001.png", b"of another system"),
        ("__info__.json", b"{}"),
        ("0002.json", br#"{"label": 1, "by": "Ann", "x": {"y": [1]}}"#),
        ("0002.JPG", DOG),
    ]);
    let second = packed(&[("0003.png", CAT), ("0003.seg.png", b"no picture"), ("0003.cls", b"1")]);
    let root = shards(&[("train-000000.tar", first), ("train-000001.tar", second)]);
    for path in [
        root.path().to_path_buf(),
        root.path().join("train-{000000..000001}.tar"),
        root.path().join("train-*.tar"),
    ] {
        let data = Dataset::open(&path, &pictures()).unwrap();
        assert_eq!(data.labels, ["0", "1"], "{}", path.display());
        let classes: Vec<_> = data.train.iter().map(|item| item.target.class().unwrap()).collect();
        assert_eq!(classes, [0, 1, 1]);
        let names: Vec<_> = data.train.iter().map(name).collect();
        assert_eq!(names, ["0001.png", "0002.JPG", "0003.png"]);
        assert_eq!(data.train.iter().map(bytes).collect::<Vec<_>>(), [CAT, DOG, CAT]);
        let place = data.train[0].place.to_string();
        assert!(place.ends_with("train-000000.tar/a/0001.png"), "{place}");
        assert!(data.ignored.is_empty() && data.notes.is_empty(), "{:?}", data.notes);
    }
    let asked = inputs(&root.path().join("train-000001.tar"), &pictures()).unwrap();
    assert_eq!(asked.items.iter().map(name).collect::<Vec<_>>(), ["0003.png"]);
    let seg = Layout { input_column: Some("seg.png".into()), ..pictures() };
    let asked = inputs(&root.path().join("train-000001.tar"), &seg).unwrap();
    assert_eq!(bytes(&asked.items[0]), b"no picture");
}

#[test]
fn targets_of_every_task() {
    let tar = packed(&[
        ("1.png", CAT),
        ("1.json", br#"{"tags": ["x", "y"], "score": 0.5, "a": 0, "b": true, "who": "Ann"}"#),
        ("1.txt", b" a cat \n"),
        ("2.png", DOG),
        ("2.json", br#"{"tags": [], "score": "2", "a": 1, "b": false, "who": "Bob"}"#),
        ("2.txt", b"a dog"),
    ]);
    let root = shards(&[("all.tar", tar)]);
    let open = |layout: Layout| Dataset::open(root.path().join("all.tar"), &layout).unwrap();
    let targets = |data: &Dataset| data.train.iter().map(|i| i.target.clone()).collect::<Vec<_>>();
    let of = |task| Layout { task, ..pictures() };

    let data = open(of(Task::MultiLabel));
    assert_eq!(data.labels, ["x", "y"]);
    assert_eq!(targets(&data), [Target::Labels(vec![true; 2]), Target::Labels(vec![false; 2])]);
    let columns = Layout { label_column: Some("a, b".into()), ..of(Task::MultiLabel) };
    assert_eq!(
        targets(&open(columns)),
        [Target::Labels(vec![false, true]), Target::Labels(vec![true, false])]
    );
    let data = open(of(Task::Regression));
    assert_eq!(data.labels, ["score"]);
    assert_eq!(targets(&data), [Target::Values(vec![0.5]), Target::Values(vec![2.])]);
    let data = open(of(Task::Transcription));
    let texts = |item: &Item| matches!(&item.target, Target::Text { text, .. } if text.len() == 5);
    assert!(data.train.iter().all(texts), "{:?}", data.train);
    let grouped =
        Layout { label_column: Some("txt".into()), group_column: Some("who".into()), ..pictures() };
    let data = open(grouped);
    assert_eq!(data.labels, ["a cat", "a dog"]);
    assert_eq!(data.train[1].group.as_deref(), Some("Bob"));
    let named = Layout {
        label_pattern: Some(Regex::new(r"^(\d)").unwrap()),
        group_pattern: Some(Regex::new(r"^\d").unwrap()),
        ..pictures()
    };
    let data = open(named);
    assert_eq!(data.labels, ["1", "2"]);
    assert_eq!(data.train[0].group.as_deref(), Some("1"));
}

#[test]
fn texts_and_words() {
    let tar = packed(&[
        ("1.txt", "très bon".as_bytes()),
        ("1.cls", b"good"),
        ("2.txt", b"bad\n"),
        ("2.cls", b"bad"),
    ]);
    let words = packed(&[
        ("1.json", br#"{"tokens": ["Ann", "ran"], "ner_tags": ["B-PER", "O"]}"#),
        ("2.json", br#"{"tokens": ["so"], "ner_tags": ["O"]}"#),
    ]);
    let pairs = packed(&[
        ("1.json", br#"{"premise": "one", "hypothesis": "two", "label": 0}"#),
        ("2.json", br#"{"premise": "three", "hypothesis": "four", "label": 1}"#),
    ]);
    let root = shards(&[("t.tar", tar), ("w.tar", words), ("p.tar", pairs)]);
    let data = Dataset::open(root.path().join("t.tar"), &texts()).unwrap();
    assert_eq!(shown(&data.train, &data.labels), ["good:très bon", "bad:bad"]);
    assert!(matches!(data.train[0].input, Input::Stored(_)), "read when it is needed");
    let layout = Layout { task: Task::Tagging, ..texts() };
    let data = Dataset::open(root.path().join("w.tar"), &layout).unwrap();
    assert_eq!(shown(&data.train, &data.labels), ["B-PER O:Ann ran", "O:so"]);
    let layout = Layout { pair_column: Some("hypothesis".into()), ..texts() };
    let data = Dataset::open(root.path().join("p.tar"), &layout).unwrap();
    assert_eq!(shown(&data.train, &data.labels), ["0:one|two", "1:three|four"]);
}

#[test]
fn what_is_wrong_is_said_with_shard_and_member() {
    let good: &[(&str, &[u8])] =
        &[("1.png", CAT), ("1.cls", b"0"), ("2.png", DOG), ("2.cls", b"1")];
    let with = |more: &[(&str, &[u8])]| packed(&[good, more].concat());
    let tail = |more: Vec<u8>| {
        let mut tar = packed(good);
        tar.truncate(tar.len() - 1024);
        [tar, more].concat()
    };
    let cut = {
        let mut tar = with(&[("3.png", &[7; 2000])]);
        tar.truncate(tar.len() - 1024 - 600);
        tar
    };
    let long = {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..4].copy_from_slice(b"long");
        header.set_size(1 << 40);
        header.set_entry_type(tar::EntryType::GNULongName);
        header.set_cksum();
        tail(header.as_bytes().to_vec())
    };
    let link = {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..5].copy_from_slice(b"3.png");
        header.set_size(0);
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_cksum();
        tail(header.as_bytes().to_vec())
    };
    let cases: &[(&str, Vec<u8>, &[&str])] = &[
        ("cut", cut, &["s.tar/3.png", "3.png is cut off"]),
        ("absurd size", tail(raw(b"3.png", u64::MAX / 4)), &["s.tar/3.png", "is cut off"]),
        ("absurd name", long, &["s.tar: ", "behind 2.cls", "header of 1099511627776 bytes"]),
        ("noise", tail(vec![b'x'; 1024]), &["s.tar: ", "behind 2.cls", "no header"]),
        ("up", tail(raw(b"../3.png", 0)), &["s.tar: ", "\"../3.png\"", "leads out"]),
        ("no UTF-8", tail(raw(b"\xFF3.png", 0)), &["s.tar: ", "not UTF-8"]),
        ("link", link, &["s.tar/3.png", "is a link"]),
        ("no label", with(&[("3.png", CAT)]), &["s.tar/3.png", "has no class", "cls, label"]),
        ("no input", with(&[("3.cls", b"0")]), &["s.tar/3", "none of the pictures", "only .cls"]),
        ("two", with(&[("3.png", CAT), ("3.jpg", DOG)]), &["several pictures", "--input-column"]),
        ("twice", with(&[("3.png", CAT), ("3.png", DOG)]), &["two members 3.png"]),
        ("no JSON", with(&[("3.png", CAT), ("3.json", b"{")]), &["3.json: not a JSON object"]),
    ];
    for (what, tar, said) in cases {
        let root = shards(&[("s.tar", tar.clone())]);
        let path = root.path().join("s.tar");
        let message = Dataset::open(&path, &pictures()).unwrap_err().to_string();
        for part in *said {
            assert!(message.contains(part), "{what}: {message:?} does not say {part:?}");
        }
        assert!(!message.contains('\n') && message.contains("--skip-bad"), "{what}: {message}");
        let layout = Layout { skip_bad: true, ..pictures() };
        let data = Dataset::open(&path, &layout).unwrap();
        assert_eq!((data.train.len(), data.bad.len()), (2, 1), "{what}: {:?}", data.bad);
    }
}

#[test]
fn shards_that_are_missing_or_no_tar_files() {
    let good: &[(&str, &[u8])] =
        &[("1.png", CAT), ("1.cls", b"0"), ("2.png", DOG), ("2.cls", b"1")];
    let root = shards(&[
        ("d/train-00000-of-00002.tar", packed(good)),
        ("e/a.tar", vec![]),
        ("f/a.tar", packed(&[("README", b"")])),
        ("g/a.tar.gz", vec![0x1F, 0x8B]),
    ]);
    let message =
        |at: &str| Dataset::open(root.path().join(at), &pictures()).unwrap_err().to_string();
    for (at, said) in [
        ("d", "train-00001-of-00002.tar: the shard is missing"),
        ("d/train-{00000..00001}-of-00002.tar", "train-00001-of-00002.tar: no such file"),
        ("d/x*.tar", "no file has such a name"),
        ("e/a.tar", "has no members"),
        ("f/a.tar", "holds no samples"),
        ("g/a.tar.gz", "gunzip makes a .tar"),
        ("g", "gunzip makes a .tar"),
    ] {
        assert!(message(at).contains(said), "{at}: {}", message(at));
    }
    let layout = Layout { skip_bad: true, ..pictures() };
    let data = Dataset::open(root.path().join("d"), &layout).unwrap();
    assert_eq!((data.train.len(), data.bad.len()), (2, 1));
    // One that is named alone is meant alone.
    let one = root.path().join("d/train-00000-of-00002.tar");
    assert_eq!(Dataset::open(&one, &pictures()).unwrap().train.len(), 2);
    // A shard that changes is not read as what it was.
    let data = Dataset::open(&one, &pictures()).unwrap();
    fs::write(&one, b"another").unwrap();
    let error = data.train[0].input.loaded().unwrap_err().to_string();
    assert!(error.contains("has changed"), "{error}");
}

#[test]
fn an_item_in_a_shard_takes_few_bytes() {
    assert!(size_of::<Input>() <= 48, "{}", size_of::<Input>());
    assert!(size_of::<Item>() <= 160, "{}", size_of::<Item>());
    let _ = Path::new("");
}

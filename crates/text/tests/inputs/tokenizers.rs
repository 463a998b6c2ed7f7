//! Token ids as transformers finds them, on twelve scripts and much that is odd, of tokenizers in their
//! publishers' layouts; `xtask/scripts/fixtures/text_tokenizers.py` made the files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crosstune_text::Tokenizer;
use serde::Deserialize;
use tempfile::TempDir;

/// Those that open without a `tokenizer.json`, too.
const NAMES: [&str; 9] = [
    "bert",
    "bert-cased",
    "bert-accents",
    "mpnet",
    "gpt2",
    "gpt2-added",
    "roberta",
    "roberta-mask",
    "qwen2",
];

/// Those that are a `tokenizer.json` alone.
const ALONE: [&str; 2] = ["llama3", "smollm2"];

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/tokenizers", name].iter().collect()
}

#[derive(Deserialize)]
struct Expected {
    texts: Vec<String>,
    pairs: Vec<[String; 2]>,
    cut: u32,
    pair_cut: u32,
    tokenizers: std::collections::BTreeMap<String, Ids>,
}

#[derive(Deserialize)]
struct Ids {
    ids: Vec<Vec<i64>>,
    cut: Vec<Vec<i64>>,
    pairs: Vec<Vec<i64>>,
    types: Vec<Vec<i64>>,
}

/// A copy of a publisher's folder without some file.
fn without(name: &str, file: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name() != file {
            fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
    }
    folder
}

fn check(folder: &Path, expected: &Expected, ids: &Ids, name: &str) {
    let whole = Tokenizer::open(folder, 1000).unwrap();
    let cut = Tokenizer::open(folder, expected.cut).unwrap();
    for (i, text) in expected.texts.iter().enumerate() {
        assert_eq!(whole.encode(text).unwrap(), ids.ids[i], "{name}: {text:?}");
        assert_eq!(cut.encode(text).unwrap(), ids.cut[i], "{name}: {text:?}, cut");
    }
    let pairs = Tokenizer::open(folder, expected.pair_cut).unwrap();
    for (i, [first, second]) in expected.pairs.iter().enumerate() {
        let (tokens, types) = pairs.encode_pair(first, second).unwrap();
        assert_eq!(tokens, ids.pairs[i], "{name}: {first:?} and {second:?}");
        assert_eq!(types, ids.types[i], "{name}: types of {first:?} and {second:?}");
    }
}

#[test]
fn ids_are_those_of_transformers_with_and_without_tokenizer_json() {
    let text = fs::read_to_string(fixture("expected.json")).unwrap();
    let expected: Expected = serde_json::from_str(&text).unwrap();
    assert_eq!(expected.tokenizers.len(), NAMES.len() + ALONE.len());
    for name in ALONE {
        check(&fixture(name), &expected, &expected.tokenizers[name], name);
    }
    for name in NAMES {
        let ids = &expected.tokenizers[name];
        check(&fixture(name), &expected, ids, name);
        let files = without(name, "tokenizer.json");
        check(files.path(), &expected, ids, &format!("{name} without tokenizer.json"));
        // What is saved into a run folder does the same.
        let saved = tempfile::tempdir().unwrap();
        Tokenizer::open(files.path(), 64).unwrap().save(saved.path()).unwrap();
        check(saved.path(), &expected, ids, &format!("{name} saved"));
    }
}

#[test]
fn what_is_wrong_with_a_vocabulary_is_said_with_its_place() {
    /// The tokenizer, its file, what replaces it, and what is said.
    type Case<'a> = (&'a str, &'a str, Option<&'a [u8]>, &'a str);
    let cases: &[Case<'_>] = &[
        ("bert", "vocab.txt", None, "no tokenizer.json in this folder, nor vocab.txt, nor"),
        ("gpt2", "merges.txt", None, "no tokenizer.json in this folder, nor vocab.txt, nor"),
        ("bert", "vocab.txt", Some(b"[UNK]\n[CLS]\n"), "\"[SEP]\" is not in it"),
        ("bert", "vocab.txt", Some(b"[UNK]\ncaf\xE9\n"), "line 2: not UTF-8: byte 4"),
        ("bert", "vocab.txt", Some(b"\xFF\xFE["), "is in UTF-16"),
        ("bert-cased", "tokenizer_config.json", Some(b"{"), "line 1 column 1"),
        (
            "bert-cased",
            "tokenizer_config.json",
            Some(br#"{"tokenizer_class": "BertJapaneseTokenizer"}"#),
            "\"BertJapaneseTokenizer\", which is read from its tokenizer.json alone",
        ),
        ("gpt2", "vocab.json", Some(b"[1]"), "expected a map"),
        ("gpt2", "merges.txt", Some(b"#version: 0.2\na b c\n"), "merges.txt:2: \"a b c\""),
        ("gpt2", "merges.txt", Some(b"a \xC4\xA0\xC4\xA0\xC4\xA0\n"), "is not in vocab.json"),
        ("roberta", "vocab.json", Some(br#"{"<s>": 0}"#), "is not in vocab.json"),
        (
            "gpt2-added",
            "tokenizer_config.json",
            Some(br#"{"added_tokens_decoder": {"9": {"content": "<new>", "special": true}}}"#),
            "\"<new>\" is to have the number 9, but has 557",
        ),
    ];
    for (name, file, contents, said) in cases {
        let folder = without(name, "tokenizer.json");
        let path = folder.path().join(file);
        match contents {
            Some(contents) => fs::write(path, contents).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
        let message = Tokenizer::open(folder.path(), 64).unwrap_err().to_string();
        assert!(message.contains(said), "{message:?} does not say {said:?}");
        assert!(!message.contains('\n'), "{message:?} has several lines");
    }
}

#[test]
fn a_pair_needs_room_for_both() {
    for (name, special) in [("bert", 3), ("roberta", 4), ("gpt2", 0)] {
        let least = special + 2;
        let (ids, _) =
            Tokenizer::open(&fixture(name), least).unwrap().encode_pair("fox", "dog").unwrap();
        assert_eq!(ids.len() as u32, least);
        let short = Tokenizer::open(&fixture(name), least - 1).unwrap();
        let error = short.encode_pair("fox", "dog").unwrap_err().to_string();
        assert!(error.ends_with(&format!("choose at least {least}")), "{error}");
    }
}

//! Token ids and offsets as transformers finds them in publishers' folders with a SentencePiece model and no
//! `tokenizer.json`; `xtask/scripts/fixtures/text_sentence_pieces.py` made the files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use crosstune_text::Tokenizer;
use serde::Deserialize;
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/sentence-pieces", name].iter().collect()
}

#[derive(Deserialize)]
struct Expected {
    texts: Vec<String>,
    pairs: Vec<[String; 2]>,
    tokenizers: BTreeMap<String, Encoded>,
}

#[derive(Deserialize)]
struct Encoded {
    ids: Vec<Vec<i64>>,
    starts: Vec<Vec<usize>>,
    pairs: Vec<Vec<i64>>,
    types: Vec<Vec<i64>>,
}

fn check(folder: &Path, expected: &Expected, encoded: &Encoded, name: &str) {
    let tokenizer = Tokenizer::open(folder, 1000).unwrap();
    for (text, ids) in expected.texts.iter().zip(&encoded.ids) {
        assert_eq!(&tokenizer.encode(text).unwrap(), ids, "{name}: {text:?}");
    }
    for (i, [first, second]) in expected.pairs.iter().enumerate() {
        let (ids, types) = tokenizer.encode_pair(first, second).unwrap();
        assert_eq!(ids, encoded.pairs[i], "{name}: {first:?} and {second:?}");
        assert_eq!(types, encoded.types[i], "{name}: types of {first:?} and {second:?}");
    }
}

#[test]
fn ids_and_offsets_are_those_of_transformers() {
    let text = fs::read_to_string(fixture("expected.json")).unwrap();
    let expected: Expected = serde_json::from_str(&text).unwrap();
    assert_eq!(expected.tokenizers.len(), 9);
    for (name, encoded) in &expected.tokenizers {
        check(&fixture(name), &expected, encoded, name);
        // What is saved beside a tuned model is a file of its own that does the same.
        let saved = tempfile::tempdir().unwrap();
        Tokenizer::open(&fixture(name), 64).unwrap().save(saved.path()).unwrap();
        check(saved.path(), &expected, encoded, &format!("{name} saved"));
        let file = fs::read(saved.path().join("tokenizer.json")).unwrap();
        let library = ::tokenizers::Tokenizer::from_bytes(file).unwrap();
        for (text, starts) in expected.texts.iter().zip(&encoded.starts) {
            let tokens = library.encode_char_offsets(text.as_str(), true).unwrap();
            let begins: Vec<_> = tokens.get_offsets().iter().map(|(begin, _)| *begin).collect();
            assert_eq!(&begins, starts, "{name}: {text:?}");
        }
    }
}

/// A folder with this model under another name, and with these files beside it.
fn folder(from: &str, to: &str, files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(fixture(from), folder.path().join(to)).unwrap();
    for (name, contents) in files {
        fs::write(folder.path().join(name), contents).unwrap();
    }
    folder
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    let class = |class: &str| format!(r#"{{"tokenizer_class": "{class}"}}"#);
    let (model, llama) = ("albert/spiece.model", "llama/tokenizer.model");
    for (from, to, config, said) in [
        (model, "spiece.model", None, "names the tokenizer_class, one of AlbertTokenizer"),
        (model, "spiece.model", Some("T5TokenizerFast"), "\"T5Tokenizer\", which is read from its"),
        (model, "spiece.model", Some("DebertaV2Tokenizer"), "which is read from spm.model"),
        (llama, "spiece.model", Some("AlbertTokenizer"), "it is a BPE model"),
        (model, "tokenizer.model", Some("GemmaTokenizer"), "it is a Unigram model"),
    ] {
        let config = config.map(class);
        let files = config.iter().map(|config| ("tokenizer_config.json", config.as_str()));
        let folder = folder(from, to, &files.collect::<Vec<_>>());
        let message = Tokenizer::open(folder.path(), 64).unwrap_err().to_string();
        assert!(message.contains(said), "{message:?} does not say {said:?}");
        assert!(!message.contains('\n'), "{message:?} has several lines");
    }
}

#[test]
fn a_list_for_tiktoken_is_none() {
    let folder = folder(
        "llama/config.json",
        "config.json",
        &[("tokenizer.model", "IQ== 0\nIg== 1\nIw== 2\n")],
    );
    let message = Tokenizer::open(folder.path(), 64).unwrap_err().to_string();
    assert!(message.contains("a list of tokens for tiktoken"), "{message}");
}

/// A file that is cut off anywhere, or that has one other byte, is an error or a tokenizer.
#[test]
fn hostile_models_are_errors() {
    for (name, file) in [("albert", "spiece.model"), ("llama", "tokenizer.model")] {
        let folder = folder(&format!("{name}/config.json"), "config.json", &[]);
        let whole = fs::read(fixture(name).join(file)).unwrap();
        let path = folder.path().join(file);
        let mut opened = 0;
        let mut attempt = |contents: &[u8]| {
            fs::write(&path, contents).unwrap();
            if let Ok(tokenizer) = Tokenizer::open(folder.path(), 64) {
                opened += 1;
                drop(tokenizer.encode("The quick brown ﬁ fox, 13!"));
            }
        };
        for step in 0..120 {
            let at = step * whole.len() / 120;
            attempt(&whole[..at]);
            for bit in [1, 8, 128] {
                let mut other = whole.clone();
                other[at] ^= bit;
                attempt(&other);
            }
        }
        assert!(opened > 10, "{name}: {opened}");
    }
}

#[test]
fn the_configuration_tells_what_stands_around_texts_and_what_pads() {
    let folder = tempfile::tempdir().unwrap();
    Tokenizer::open(&fixture("llama"), 64).unwrap().save(folder.path()).unwrap();
    let text = Tokenizer::open(folder.path(), 64).unwrap().encode("fox").unwrap();
    // Beside a tokenizer.json that has a token before texts alone.
    for (fields, ids, pad) in [
        ("", text.clone(), 2),
        (r#""add_eos_token": true, "#, [&text[..], &[2]].concat(), 0),
        (r#""add_bos_token": false, "#, text[1..].to_vec(), 2),
    ] {
        let config = format!(
            r#"{{{fields}"tokenizer_class": "LlamaTokenizerFast", "bos_token": "<s>",
            "eos_token": "</s>", "pad_token": "</s>", "unk_token": "<unk>"}}"#
        );
        fs::write(folder.path().join("tokenizer_config.json"), config).unwrap();
        let tokenizer = Tokenizer::open(folder.path(), 64).unwrap();
        assert_eq!(tokenizer.encode("fox").unwrap(), ids, "{fields}");
        // Not what stands behind every text: transformers looks for the last token that is none.
        assert_eq!(tokenizer.pad(), pad, "{fields}");
    }
}

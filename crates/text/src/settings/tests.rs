//! What sentences become, and what is refused.

use std::{fs, path::Path};

use crosstune_core::{Input, Modality, Pretrained, Result, data::inputs};
use tch::{Kind, Tensor};

use super::TextSettings;
use crate::tokenizer::TOKENIZER;

const TINY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tiny-bert");

fn adopted(max_length: Option<u32>) -> Result<TextSettings> {
    let mut settings = TextSettings::new(max_length);
    settings.adopt(&Pretrained::open(TINY)?).map(|_| settings)
}

fn ids(settings: &TextSettings, input: &Input) -> Vec<i64> {
    Vec::try_from(settings.read(input).unwrap()).unwrap()
}

/// A copy of the small model with one of its files replaced.
fn with(file: &str, contents: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors", TOKENIZER] {
        fs::copy(Path::new(TINY).join(name), folder.path().join(name)).unwrap();
    }
    fs::write(folder.path().join(file), contents).unwrap();
    folder
}

#[test]
fn lengths_are_within_what_model_and_tokenizer_allow() {
    for (asked, settled) in [(None, 64), (Some(64), 64), (Some(3), 3)] {
        let settings = adopted(asked).unwrap();
        let tokenizer = settings.tokenizer().unwrap();
        assert_eq!((tokenizer.max_length(), tokenizer.pad()), (settled, 0));
        let long = ids(&settings, &Input::Text("the cat ".repeat(100)));
        assert_eq!((long.len(), long[0], long[settled as usize - 1]), (settled as usize, 2, 3));
        assert_eq!(ids(&settings, &Input::Text(String::new())), [2, 3]);
    }
    for (asked, message) in [
        (65, "--max-length: 65 tokens; the model has positions for 64"),
        (2, "--max-length: 2 tokens; the tokenizer adds 2 to every text, so choose at least 3"),
        (0, "--max-length: 0 tokens; the tokenizer adds 2 to every text, so choose at least 3"),
    ] {
        assert_eq!(adopted(Some(asked)).unwrap_err().to_string(), message);
    }
}

#[test]
fn a_folder_without_a_fitting_tokenizer_is_refused() {
    let config = fs::read_to_string(Path::new(TINY).join("config.json")).unwrap();
    let small = with("config.json", &config.replace("\"vocab_size\": 176", "\"vocab_size\": 9"));
    let broken = with(TOKENIZER, "{\"version\": \"1.0\"}");
    let missing = with(TOKENIZER, "");
    fs::remove_file(missing.path().join(TOKENIZER)).unwrap();
    for (folder, problem) in [
        (&small, "its tokenizer has 176 tokens, but its model knows 9: they do not belong"),
        (&broken, "not a tokenizer that can be used ("),
        (&missing, "no tokenizer.json in this folder, nor vocab.txt, nor"),
    ] {
        let source = Pretrained::open(folder.path()).unwrap();
        let error = TextSettings::default().adopt(&source).unwrap_err().to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn a_file_is_one_sample_and_says_what_it_cannot_be() {
    let settings = adopted(None).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let input = |contents: &[u8]| {
        let path = folder.path().join("a.txt");
        fs::write(&path, contents).unwrap();
        Input::File(path)
    };
    let expected = ids(&settings, &Input::Text("the cat sat".into()));
    assert_eq!(ids(&settings, &input("\u{FEFF}the cat\r\nsat\r\n".as_bytes())), expected);
    let error = settings.read(&input(b"the c\xE4t")).unwrap_err();
    assert!(error.to_string().starts_with("line 1: not UTF-8: byte 6 of"), "{error}");
    let missing = Input::File(folder.path().join("b.txt"));
    assert_eq!(settings.read(&missing).unwrap_err().to_string(), "cannot read the file");
    let error = TextSettings::default().read(&Input::Text("a".into())).unwrap_err();
    assert!(error.to_string().starts_with("there is no tokenizer yet"), "{error}");
}

#[test]
fn batches_are_padded_and_say_where() {
    let settings = adopted(None).unwrap();
    let [long, short] = [&[2i64, 5, 6, 3][..], &[2, 3]].map(Tensor::from_slice);
    let batch = settings.batch(&[&short, &long]);
    assert_eq!(batch.x, Tensor::from_slice2(&[[2i64, 3, 0, 0], [2, 5, 6, 3]]));
    assert_eq!(batch.x.kind(), Kind::Int64);
    let mask = Tensor::from_slice2(&[[1, 1, 0, 0], [1, 1, 1, 1]]).to_kind(Kind::Bool);
    assert_eq!(batch.attention_mask, Some(mask));
    assert!(settings.batch(&[&long, &long]).attention_mask.is_none());
}

#[test]
fn every_line_with_something_on_it_is_an_item() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    fs::write(&path, "\u{FEFF}the cat\r\n\r\nsat on\r\n").unwrap();
    let read = |path: &Path| inputs(path, &TextSettings::layout());
    let found: Vec<_> = read(&path)
        .unwrap()
        .items
        .into_iter()
        .map(|item| (item.input, item.place.line.unwrap()))
        .collect();
    let text = |text: &str| Input::Text(text.into());
    assert_eq!(found, [(text("the cat"), 1), (text("sat on"), 3)]);
    fs::write(&path, "\n \n").unwrap();
    let error = read(&path).unwrap_err().to_string();
    assert!(error.ends_with("a.txt: there is no sentence in it: all lines are empty"));
}

#[test]
fn a_run_folder_brings_back_the_same_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let settings = adopted(Some(7)).unwrap();
    settings.save(folder.path()).unwrap();
    let opened = TextSettings::open(folder.path()).unwrap();
    let text = Input::Text("the cats sat on the mat, unbelievably".into());
    assert_eq!(ids(&opened, &text), ids(&settings, &text));
    assert_eq!(ids(&opened, &text).len(), 7);
    // The tokenizer is saved as it was published.
    let file = |folder: &Path| fs::read(folder.join(TOKENIZER)).unwrap();
    assert_eq!(file(folder.path()), file(Path::new(TINY)));
    fs::remove_file(folder.path().join(TOKENIZER)).unwrap();
    assert!(TextSettings::open(folder.path()).is_err());
}

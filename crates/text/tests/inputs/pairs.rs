//! Pairs of sentences through a classifier as transformers computes it; `xtask/scripts/fixtures/
//! text.py` made the files. The folder has a `vocab.txt` for a tokenizer.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crosstune_core::{
    Batch, Checkpoint, Device, Input, Layout, Modality, Model, Pretrained, data::inputs,
};
use crosstune_text::{TextSettings, Tokenizer};
use serde_json::{Value, json};
use tch::{Kind, Tensor};

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/tiny-bert-pairs", name].iter().collect()
}

fn pairs() -> Vec<Input> {
    let text = fs::read_to_string(fixture("pairs.tsv")).unwrap();
    let pair = |line: &str| {
        let (first, second) = line.split_once('\t').unwrap();
        Input::Pair([first.into(), second.into()])
    };
    text.lines().map(pair).collect()
}

#[test]
fn logits_of_pairs_are_those_of_transformers() {
    let expected = Checkpoint::open(fixture("expected.safetensors")).unwrap();
    let want = |name: &str| expected.tensor(name).unwrap();
    let source = Pretrained::open(fixture("")).unwrap();
    let mut settings = TextSettings::new(Some(24));
    let model =
        Model::pretrained(&source, &mut settings, |_, _| unreachable!(), Device::Cpu).unwrap();
    let samples: Vec<_> = pairs().iter().map(|pair| settings.read(pair).unwrap()).collect();
    let batch = settings.batch(&samples.iter().collect::<Vec<_>>());
    let mask = want("mask").to_kind(Kind::Bool);
    assert_eq!(batch.attention_mask, Some(mask.shallow_clone()));
    for (row, name) in [(0, "ids"), (1, "types")] {
        assert!(batch.x.select(1, row).equal(&want(name)), "{name}");
    }
    let logits = |batch: &Batch| tch::no_grad(|| model.classifier().forward(batch, false));
    let far = (logits(&batch) - want("logits")).abs().max();
    assert!(far.double_value(&[]) < 5e-6, "logits differ by {far}");
    // Without the segments they are others.
    let alike = Batch { x: batch.x.select(1, 0), attention_mask: batch.attention_mask };
    let far = (logits(&alike) - want("logits")).abs().max();
    assert!(far.double_value(&[]) > 1e-3, "segments show by {far}");
}

#[test]
fn settings_remember_that_samples_are_pairs() {
    let mut settings = TextSettings::new(Some(24));
    settings.adopt(&Pretrained::open(fixture("")).unwrap()).unwrap();
    let pairs = pairs();
    settings.survey(&pairs.iter().collect::<Vec<_>>());
    let folder = tempfile::tempdir().unwrap();
    settings.save(folder.path()).unwrap();
    let opened = TextSettings::open(folder.path()).unwrap();
    assert_eq!(opened.read(&pairs[0]).unwrap(), settings.read(&pairs[0]).unwrap());
    assert_eq!(opened.example().x.size(), [1, 2, 24]);
    let error = opened.read(&Input::Text("one".into())).unwrap_err().to_string();
    assert!(error.starts_with("one sentence, but the model was trained on pairs"), "{error}");

    assert!(opened.takes_pairs());
    let layout = Layout { pairs: true, ..TextSettings::layout() };
    let items = inputs(&fixture("pairs.tsv"), &layout).unwrap().items;
    assert_eq!(items.iter().map(|item| item.input.clone()).collect::<Vec<_>>(), pairs);
    let path = folder.path().join("lines.txt");
    let lines = "the model was trained on pairs: write two";
    for (text, said) in [
        ("a\tb\nalone\n", format!("lines.txt:2: {lines}")),
        ("a\tb\nc\td\te\n", format!("lines.txt:2: {lines}")),
        // Lines of one width are the rows of a table.
        ("\n\ta\nb\tc\n", "lines.txt:2: the row has no text in column 1 of 2".into()),
    ] {
        fs::write(&path, text).unwrap();
        let error = inputs(Path::new(&path), &layout).unwrap_err().to_string();
        assert!(error.contains(&said), "{error}");
    }
    // As for training, with labels behind them.
    fs::write(&path, "a\tb\t0\nc\td\t1\n").unwrap();
    let items = inputs(&path, &layout).unwrap().items;
    let pair = |[a, b]: [&str; 2]| Input::Pair([a.into(), b.into()]);
    let expected = [pair(["a", "b"]), pair(["c", "d"])];
    assert_eq!(items.iter().map(|item| item.input.clone()).collect::<Vec<_>>(), expected);
}

#[test]
fn a_pair_and_a_text_may_share_a_batch() {
    let mut settings = TextSettings::default();
    settings.adopt(&Pretrained::open(fixture("")).unwrap()).unwrap();
    let text = settings.read(&Input::Text("the cat".into())).unwrap();
    let pair = settings.read(&Input::Pair(["cat".into(), "a mat".into()])).unwrap();
    let batch = settings.batch(&[&text, &pair]);
    assert_eq!(batch.x.size(), [2, 2, 6]);
    let types = Tensor::from_slice2(&[[0i64, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1]]);
    assert!(batch.x.select(1, 1).equal(&types));
    assert_eq!(settings.batch(&[&text]).x.dim(), 2);
}

/// transformers gives segments to a model only where the tokenizer's files say so.
#[test]
fn what_is_exported_says_whether_the_model_tells_segments_apart() {
    // DistilBERT, which takes none, with the same tokens.
    let other = tempfile::tempdir().unwrap();
    let distilled = fixture("").parent().unwrap().join("tiny-distilbert");
    fs::copy(fixture("vocab.txt"), other.path().join("vocab.txt")).unwrap();
    let weights = "model.safetensors";
    fs::copy(distilled.join(weights), other.path().join(weights)).unwrap();
    let config = fs::read_to_string(distilled.join("config.json")).unwrap();
    let mut config: Value = serde_json::from_str(&config).unwrap();
    config["vocab_size"] = 176.into();
    fs::write(other.path().join("config.json"), config.to_string()).unwrap();

    let both = json!(["input_ids", "token_type_ids", "attention_mask"]);
    for (folder, inputs) in
        [(fixture("").as_path(), both), (other.path(), json!(["input_ids", "attention_mask"]))]
    {
        let mut settings = TextSettings::new(Some(16));
        settings.adopt(&Pretrained::open(folder).unwrap()).unwrap();
        let hub = tempfile::tempdir().unwrap();
        settings.save_pretrained(hub.path()).unwrap();
        let config = fs::read_to_string(hub.path().join("tokenizer_config.json")).unwrap();
        let expected = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": 16,
            "model_input_names": inputs,
            "cls_token": "[CLS]",
            "mask_token": "[MASK]",
            "pad_token": "[PAD]",
            "sep_token": "[SEP]",
            "unk_token": "[UNK]",
        });
        assert_eq!(serde_json::from_str::<Value>(&config).unwrap(), expected);
        // We read the same of it.
        let (opened, ours) =
            (Tokenizer::open(hub.path(), 16).unwrap(), settings.tokenizer().unwrap());
        assert_eq!(opened.pad(), ours.pad());
        let pair = |tokenizer: &Tokenizer| tokenizer.encode_pair("the cat", "a mat").unwrap();
        assert_eq!(pair(&opened), pair(ours));
    }
}

//! Text models that label tokens: `text_tagging.py` made the files. What has none is exported and opened
//! again.

use std::{fs, path::Path};

use crosstune_core::{
    Batch, Checkpoint, Device, Modality, Model, Origin, Pretrained, Spec, Task, export,
};
use crosstune_text::TextSettings;
use serde_json::{Value, json};
use tch::{Kind, Tensor};

use crate::{WITHIN, check, fixture};

#[test]
fn a_head_of_one_layer() {
    check("tiny-bert-tags");
}

#[test]
fn a_head_with_other_names_than_that_of_texts() {
    check("tiny-electra-tags");
}

#[test]
fn a_head_without_the_layer_before() {
    check("tiny-distilbert-tags");
}

#[test]
fn a_head_with_a_hidden_layer_and_its_norm() {
    check("tiny-modernbert-tags");
}

#[test]
fn a_head_on_a_decoder() {
    check("tiny-gpt2-tags");
}

#[test]
fn a_head_that_scores() {
    check("tiny-llama-tags");
}

/// A copy of a model with a tokenizer of a few words.
fn with_tokenizer(name: &str, to: &Path) {
    for file in ["config.json", "model.safetensors"] {
        fs::copy(fixture(name).join(file), to.join(file)).unwrap();
    }
    let vocabulary = json!({"[PAD]": 0, "[UNK]": 1, "cat": 2, "dog": 3});
    let tokenizer = json!({
        "version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"},
    });
    fs::write(to.join("tokenizer.json"), tokenizer.to_string()).unwrap();
}

fn logits(model: &Model, name: &str) -> (Tensor, Tensor) {
    let given = Checkpoint::open(fixture(name).join("expected.safetensors")).unwrap();
    let mask = given.tensor("mask").unwrap().to_kind(Kind::Bool);
    let ids = given.tensor("ids").unwrap();
    let batch = Batch { x: ids, attention_mask: Some(mask.shallow_clone()) };
    (tch::no_grad(|| model.classifier().forward(&batch, false)), mask)
}

/// Every family that transformers has such a class of: what is tuned from a model of texts is exported,
/// and is then what it was.
#[test]
fn what_labels_tokens_is_exported_and_opened_again() {
    for (name, class) in [
        ("tiny-bert-classifier", "BertForTokenClassification"),
        ("tiny-roberta", "RobertaForTokenClassification"),
        ("tiny-xlm-roberta", "XLMRobertaForTokenClassification"),
        ("tiny-camembert", "CamembertForTokenClassification"),
        ("tiny-xlm-roberta-xl", "XLMRobertaXLForTokenClassification"),
        ("tiny-distilbert", "DistilBertForTokenClassification"),
        ("tiny-albert", "AlbertForTokenClassification"),
        ("tiny-electra", "ElectraForTokenClassification"),
        ("tiny-mpnet", "MPNetForTokenClassification"),
        ("tiny-deberta-v2", "DebertaV2ForTokenClassification"),
        ("tiny-deberta-v3", "DebertaV2ForTokenClassification"),
        ("tiny-modernbert", "ModernBertForTokenClassification"),
        ("tiny-nomic-bert", "NomicBertForTokenClassification"),
        ("tiny-gpt2", "GPT2ForTokenClassification"),
        ("tiny-llama", "LlamaForTokenClassification"),
        ("tiny-mistral", "MistralForTokenClassification"),
        ("tiny-qwen2", "Qwen2ForTokenClassification"),
        ("tiny-qwen3", "Qwen3ForTokenClassification"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        with_tokenizer(name, folder.path());
        let source = Pretrained::open(folder.path()).unwrap();
        let mut settings = TextSettings::new(Some(12));
        settings.set_task(Task::Tagging).unwrap();
        assert_eq!(settings.adopt(&source).unwrap(), Origin::Pretrained);
        let labels = ["O", "B-PER", "I-PER", "B-LOC"].map(String::from).to_vec();
        let (pool, head) = source.config().head_for(Task::Tagging);
        let spec = TextSettings::spec(&source, Origin::Pretrained, labels.clone());
        let spec = Spec { task: Task::Tagging, ..spec }.with_head(pool, head);
        let weights = source.source().unwrap();
        let parts = crosstune_core::LoadParts::BodyAndHead;
        let model = Model::new(spec, &settings, Some((&weights, parts)), Device::Cpu).unwrap();
        let out = folder.path().join("out");
        export::hugging_face(&model, &settings, &out).unwrap();

        let config = fs::read_to_string(out.join("config.json")).unwrap();
        let config: Value = serde_json::from_str(&config).unwrap();
        assert_eq!(config["architectures"], json!([class]));
        assert_eq!(
            (&config["problem_type"], &config["id2label"]["3"]),
            (&Value::Null, &json!("B-LOC"))
        );
        let source = Pretrained::open(&out).unwrap();
        let mut settings = TextSettings::default();
        let opened =
            Model::pretrained(&source, &mut settings, |_, _| unreachable!(), Device::Cpu).unwrap();
        assert_eq!((opened.spec().task, &opened.spec().labels), (Task::Tagging, &labels));
        let ((want, mask), (got, _)) = (logits(&model, name), logits(&opened, name));
        assert_eq!(got.size()[2], 4, "{name}");
        let far = ((got - want).abs() * mask.unsqueeze(-1)).max().double_value(&[]);
        assert!(far < WITHIN, "{name}: logits differ by {far:e}");
    }
}

#[test]
fn what_transformers_has_no_class_for_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    with_tokenizer("tiny-gemma3", folder.path());
    let source = Pretrained::open(folder.path()).unwrap();
    let mut settings = TextSettings::new(Some(12));
    settings.set_task(Task::Tagging).unwrap();
    settings.adopt(&source).unwrap();
    let (pool, head) = source.config().head_for(Task::Tagging);
    let spec = TextSettings::spec(&source, Origin::Pretrained, vec!["O".into(), "B-PER".into()]);
    let spec = Spec { task: Task::Tagging, ..spec }.with_head(pool, head);
    let model = Model::new(spec, &settings, None, Device::Cpu).unwrap();
    let error = export::hugging_face(&model, &settings, &folder.path().join("out")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "--format hf: transformers has no class of the family gemma3_text for tagging; export as \
         torchscript, which takes every model"
    );
}

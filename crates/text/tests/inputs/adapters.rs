//! An adapter that PEFT made, on a model of transformers; `xtask/scripts/fixtures/adapters.py` made
//! the files.

use std::{fs, path::PathBuf};

use crosstune_core::{
    Checkpoint, Device, Input, LoadParts, Lora, Modality, Model, Origin, Pretrained, Spec, export,
};
use crosstune_text::TextSettings;
use tch::Tensor;

/// As the other fixtures' tests.
const WITHIN: f64 = 5e-6;

/// Their names of layers in a block, and ours.
const LAYERS: [(&str, &str); 3] = [
    ("attention.self.query", "attn.q"),
    ("attention.self.value", "attn.v"),
    ("intermediate.dense", "mlp.up"),
];

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures", name].iter().collect()
}

/// The base with the adapter's layers, which are zero yet.
fn based() -> (Pretrained, TextSettings, Model) {
    let source = Pretrained::open(fixture("tiny-bert-pairs")).unwrap();
    let mut settings = TextSettings::new(Some(24));
    assert_eq!(settings.adopt(&source).unwrap(), Origin::Pretrained);
    let labels = source.config().head.labels.clone().unwrap();
    let targets = LAYERS.map(|(_, ours)| format!("*.{ours}")).to_vec();
    let lora = Some(Lora { rank: 4, alpha: 12., dropout: 0., targets });
    let spec = TextSettings::spec(&source, Origin::Pretrained, labels);
    let spec =
        Spec { lora, ..spec.with_head(source.config().head.pool, source.config().head.config) };
    let key_map = source.source().unwrap();
    let model =
        Model::new(spec, &settings, Some((&key_map, LoadParts::BodyAndHead)), Device::Cpu).unwrap();
    drop(key_map);
    (source, settings, model)
}

/// Takes the adapter's tensors into the model's, each once.
fn load(model: &Model, adapter: &Checkpoint) {
    let ours = model.store().variables();
    let mut names = vec![
        ("classifier.weight".to_string(), "head.weight".to_string()),
        ("classifier.bias".into(), "head.bias".into()),
    ];
    for block in 0..2 {
        for (their, our) in LAYERS {
            for (their_leaf, our_leaf) in [("lora_A.weight", "lora_a"), ("lora_B.weight", "lora_b")]
            {
                names.push((
                    format!("bert.encoder.layer.{block}.{their}.{their_leaf}"),
                    format!("trunk.blocks.{block}.{our}.{our_leaf}"),
                ));
            }
        }
    }
    assert_eq!(names.len(), adapter.entries().count());
    for (their, our) in names {
        let value = adapter.tensor(&format!("base_model.model.{their}")).unwrap();
        let mut into = ours[&our].shallow_clone();
        assert_eq!(into.size(), value.size(), "{our}");
        tch::no_grad(|| into.copy_(&value));
    }
}

fn logits(model: &Model, settings: &TextSettings) -> Tensor {
    let text = fs::read_to_string(fixture("tiny-bert-pairs/pairs.tsv")).unwrap();
    let read = |line: &str| {
        let (first, second) = line.split_once('\t').unwrap();
        settings.read(&Input::Pair([first.into(), second.into()])).unwrap()
    };
    let samples: Vec<Tensor> = text.lines().map(read).collect();
    let batch = settings.batch(&samples.iter().collect::<Vec<_>>());
    tch::no_grad(|| model.classifier().forward(&batch, false))
}

fn furthest(a: &Tensor, b: &Tensor) -> f64 {
    assert_eq!(a.size(), b.size());
    (a - b).abs().max().double_value(&[])
}

fn open(name: &str) -> Checkpoint {
    Checkpoint::open(fixture("tiny-bert-pairs-lora").join(name)).unwrap()
}

#[test]
fn an_adapter_of_peft_computes_what_peft_computes() {
    let (_, settings, model) = based();
    let want = open("expected.safetensors").tensor("logits").unwrap();
    let before = furthest(&logits(&model, &settings), &want);
    assert!(before > 0.1, "the adapter shows by {before}");
    load(&model, &open("adapter_model.safetensors"));
    let far = furthest(&logits(&model, &settings), &want);
    assert!(far < WITHIN, "logits differ by {far:e}");
    let merged = model.merged(&settings).unwrap().unwrap();
    assert!(merged.spec().lora.is_none());
    let far = furthest(&logits(&merged, &settings), &want);
    assert!(far < WITHIN, "logits differ by {far:e} where it is merged");
}

#[test]
fn an_adapters_folder_opens_as_the_model_that_it_makes_of_its_base() {
    let source = Pretrained::open(fixture("tiny-bert-pairs-lora")).unwrap();
    let mut settings = TextSettings::new(Some(24));
    let unnamed = |_, _| panic!("the base names its classes");
    let model = Model::pretrained(&source, &mut settings, unnamed, Device::Cpu).unwrap();
    let want = open("expected.safetensors").tensor("logits").unwrap();
    let far = furthest(&logits(&model, &settings), &want);
    assert!(far < WITHIN, "logits differ by {far:e}");
    assert_eq!(model.spec().labels[1], "contradicts");
    assert_eq!(model.report().unused, ["classifier.bias", "classifier.weight"]);
}

#[test]
fn what_peft_made_is_exported_as_it_was() {
    let (source, settings, model) = based();
    let adapter = open("adapter_model.safetensors");
    load(&model, &adapter);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("adapter");
    export::peft(&model, &settings, &source, ("../tiny-bert-pairs", None), &out).unwrap();
    let again = Checkpoint::open(out.join("adapter_model.safetensors")).unwrap();
    for (name, _) in adapter.entries() {
        assert!(again.tensor(name).unwrap().equal(&adapter.tensor(name).unwrap()), "{name}");
    }
    // What is before the last layer trains with the head here.
    let more: Vec<&str> = again
        .entries()
        .map(|(name, _)| name)
        .filter(|name| adapter.entry(name).is_none())
        .collect();
    assert_eq!(
        more,
        ["base_model.model.bert.pooler.dense.bias", "base_model.model.bert.pooler.dense.weight"]
    );
    let config = |path: PathBuf| -> serde_json::Value {
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    let ours = config(out.join("adapter_config.json"));
    let theirs = config(fixture("tiny-bert-pairs-lora/adapter_config.json"));
    for field in
        ["peft_type", "task_type", "base_model_name_or_path", "r", "fan_in_fan_out", "bias"]
    {
        assert_eq!(ours[field], theirs[field], "{field}");
    }
    assert_eq!(ours["lora_alpha"].as_f64(), theirs["lora_alpha"].as_f64());
    let layers = ours["target_modules"].as_array().unwrap();
    assert_eq!(layers.len(), 6);
    assert!(layers.iter().any(|layer| layer == "bert.encoder.layer.1.intermediate.dense"));
}

//! Exports: what other programs get is the model that was tuned.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crosstune_audio::AudioSettings;
use crosstune_core::{Batch, Device, Modality, run};
use crosstune_image::ImageSettings;
use crosstune_text::TextSettings;
use serde_json::{Value, json};
use tch::{CModule, Kind, Tensor};
use tempfile::TempDir;

use crate::support::{Ran, crosstune, root, train_on, words};

/// One step on a few samples.
const SHORT: [&str; 8] =
    ["--max-steps", "1", "--limit-per-class", "2", "--batch-size", "8", "--validation", "0"];

fn fixture(path: &str) -> PathBuf {
    let (modality, name) = path.split_once('/').unwrap();
    root().join(format!("crates/{modality}/tests/fixtures/{name}"))
}

/// A run in which a model, `modality/name`, was tuned for a step on the digits of a modality.
fn tuned(source: &str, modality: &str, more: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    train_on(&fixture(source), modality, &run, &[&SHORT, more].concat()).ok();
    (folder, run)
}

fn export(modality: &str, run: &Path, format: &str, out: &Path) -> Ran {
    crosstune(modality, &words!["export", run, "--format", format, "--out", out])
}

fn predicted(modality: &str, model: &Path, input: &Path) -> Vec<(String, f64)> {
    let words = words!["predict", model, input, "--json", "--top", "10"];
    let line: Value = serde_json::from_str(&crosstune(modality, &words).ok()).unwrap();
    let labels = line["labels"].as_array().unwrap().iter();
    let mut labels: Vec<_> = labels
        .map(|l| (l["label"].as_str().unwrap().into(), l["probability"].as_f64().unwrap()))
        .collect();
    labels.sort_by(|a: &(String, f64), b| a.0.cmp(&b.0));
    labels
}

/// One of the modality's samples that was not trained on; a short one, which no run cuts.
fn sample(modality: &str, folder: &Path) -> PathBuf {
    let path = root().join(format!("crates/{modality}/samples/digits/test"));
    let first = |folder: &Path| {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        files.map(|file| (file.metadata().unwrap().len(), file.path())).min().unwrap().1
    };
    match modality {
        "image" => first(&path.join("3")),
        "audio" => first(&path),
        _ => {
            let file = folder.join("sentence.txt");
            fs::write(&file, "there are five of them").unwrap();
            file
        }
    }
}

#[test]
fn a_published_folder_predicts_what_the_run_predicts() {
    for (source, class, fields) in [
        (
            "image/tiny-vit",
            "ViTForImageClassification",
            json!({"model_type": "vit", "hidden_size": 32, "num_attention_heads": 4,
                "image_size": 32, "patch_size": 8, "num_channels": 3, "qkv_bias": true}),
        ),
        (
            "image/tiny-deit-distilled",
            "DeiTForImageClassificationWithTeacher",
            json!({"model_type": "deit", "image_size": 32}),
        ),
        (
            "image/tiny-resnet-torchvision-basic/resnet.pth",
            "ResNetForImageClassification",
            json!({"model_type": "resnet", "layer_type": "basic", "hidden_act": "relu",
                "downsample_in_first_stage": false, "downsample_in_bottleneck": false}),
        ),
        (
            "text/tiny-bert",
            "BertForSequenceClassification",
            json!({"model_type": "bert", "hidden_act": "gelu", "layer_norm_eps": 1e-12,
                "vocab_size": 176, "type_vocab_size": 2, "pad_token_id": 0}),
        ),
        (
            "audio/tiny-ast",
            "ASTForAudioClassification",
            json!({"model_type": "audio-spectrogram-transformer", "max_length": 24,
                "num_mel_bins": 16, "frequency_stride": 3, "time_stride": 3, "qkv_bias": true}),
        ),
        (
            "audio/tiny-whisper",
            "WhisperForAudioClassification",
            json!({"model_type": "whisper", "max_source_positions": 20, "num_mel_bins": 8}),
        ),
        (
            "audio/tiny-wav2vec2",
            "Wav2Vec2ForSequenceClassification",
            json!({"model_type": "wav2vec2", "do_stable_layer_norm": false,
                "feat_extract_norm": "group", "mask_time_prob": 0.0, "mask_feature_prob": 0.0}),
        ),
        (
            "audio/tiny-wav2vec2-large",
            "Wav2Vec2ForSequenceClassification",
            json!({"do_stable_layer_norm": true, "feat_extract_norm": "layer"}),
        ),
    ] {
        let modality = source.split('/').next().unwrap();
        let (folder, run) = tuned(source, modality, &["--head", "pretrained"]);
        let hf = folder.path().join("new/hf");
        export(modality, &run, "hf", &hf).ok();
        let config: Value =
            serde_json::from_slice(&fs::read(hf.join("config.json")).unwrap()).unwrap();
        assert_eq!(config["architectures"], json!([class]));
        assert_eq!(config["id2label"].as_object().unwrap().len(), 10, "{source}");
        assert_eq!(config["label2id"][config["id2label"]["7"].as_str().unwrap()], 7);
        for (field, value) in fields.as_object().unwrap() {
            assert_eq!(&config[field], value, "{source}: {field}");
        }
        let input = sample(modality, folder.path());
        let ours = predicted(modality, &run, &input);
        let theirs = predicted(modality, &hf, &input);
        assert_eq!(ours.len(), 10);
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours.0, theirs.0, "{source}");
            assert!((ours.1 - theirs.1).abs() < 1e-5, "{source}: {ours:?}, {theirs:?}");
        }
        assert!((ours.iter().map(|(_, p)| p).sum::<f64>() - 1.).abs() < 1e-4, "{source}");
    }
}

/// A batch of `n` like the example: noise, of which later samples keep less where there is a mask.
fn noise(example: &Batch, n: i64) -> Batch {
    let mut size = example.x.size();
    size[0] = n;
    let x = match example.x.kind() {
        Kind::Int64 => Tensor::randint(100, &size, (Kind::Int64, Device::Cpu)),
        _ => Tensor::randn(&size, (Kind::Float, Device::Cpu)),
    };
    let lengths: Vec<_> = (0..n).map(|i| (size[1] - i * size[1] / 4).max(1)).collect();
    let mask = example.attention_mask.as_ref().map(|_| {
        let places = Tensor::arange(size[1], (Kind::Int64, Device::Cpu));
        places.lt_tensor(&Tensor::from_slice(&lengths).unsqueeze(1))
    });
    Batch { x, attention_mask: mask }
}

fn traced_is_the_model<M: Modality>(source: &str, more: &[&str]) {
    let (folder, run) = tuned(source, M::NAME, more);
    let file = folder.path().join("model.pt");
    export(M::NAME, &run, "torchscript", &file).ok();
    let (model, modality) = run::open::<M>(&run, Device::Cpu).unwrap();
    let traced = CModule::load(&file).unwrap();
    let example = modality.example();
    tch::no_grad(|| {
        for n in [1, 3] {
            let batch = noise(&example, n);
            let want = model.classifier().forward(&batch, false);
            let inputs: Vec<_> =
                [Some(batch.x), batch.attention_mask].into_iter().flatten().collect();
            let got = traced.forward_ts(&inputs).unwrap();
            assert_eq!(got.size(), [n, 10], "{source} on {}", M::NAME);
            let difference = (got - want).abs().max().double_value(&[]);
            assert!(difference < 1e-5, "{source} on {}: {difference}", M::NAME);
        }
    });
}

#[test]
fn torchscript_gives_the_models_logits_for_any_batch() {
    let kept = &["--head", "pretrained"];
    traced_is_the_model::<ImageSettings>("image/tiny-vit", kept);
    traced_is_the_model::<ImageSettings>("image/tiny-dinov2", kept);
    traced_is_the_model::<ImageSettings>("image/tiny-resnet-hf-bottleneck", kept);
    traced_is_the_model::<ImageSettings>("image/tiny-swin", kept);
    traced_is_the_model::<ImageSettings>("image/tiny-swinv2", kept);
    traced_is_the_model::<TextSettings>("text/tiny-bert", kept);
    traced_is_the_model::<TextSettings>("text/tiny-bert", &["--pool", "last"]);
    traced_is_the_model::<AudioSettings>("audio/tiny-ast", kept);
    traced_is_the_model::<AudioSettings>("audio/tiny-whisper", kept);
    traced_is_the_model::<AudioSettings>("audio/tiny-wav2vec2", kept);
    traced_is_the_model::<AudioSettings>("audio/tiny-wav2vec2-large", kept);
    traced_is_the_model::<AudioSettings>("audio/tiny-clap", &[]);
    // Across modalities.
    traced_is_the_model::<ImageSettings>("text/tiny-bert", &[]);
    traced_is_the_model::<ImageSettings>("audio/tiny-wav2vec2", &[]);
    traced_is_the_model::<AudioSettings>("text/tiny-bert", &[]);
    traced_is_the_model::<AudioSettings>("image/tiny-resnet-hf-basic", &[]);
    traced_is_the_model::<AudioSettings>("image/tiny-swin", &[]);
}

#[test]
fn what_transformers_cannot_open_is_refused_in_one_line() {
    for (source, modality, more, problem) in [
        ("text/tiny-bert", "image", &[][..], "no class that takes image inputs to a trunk of"),
        ("image/tiny-vit", "image", &[], "another head than this model (a head over mean)"),
        (
            "image/tiny-resnet-cifar/resnet.th",
            "image",
            &["--head", "pretrained"],
            "ResNetForImageClassification has no setting for how this model is built",
        ),
        (
            "audio/tiny-honk/res8.pt",
            "audio",
            &["--head", "pretrained"],
            "no class for the family honk",
        ),
    ] {
        let (folder, run) = tuned(source, modality, more);
        let error = export(modality, &run, "hf", &folder.path().join("out")).error(2);
        assert!(error.starts_with("--format hf: ") && error.contains(problem), "{error}");
        assert_eq!(error.trim_end().lines().count(), 1, "{error}");
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "only the run: {left:?}");
    }
}

#[test]
fn what_is_there_is_not_overwritten() {
    let (folder, run) = tuned("text/tiny-bert", "image", &[]);
    let out = folder.path().join("taken");
    fs::write(&out, "mine").unwrap();
    for format in ["safetensors", "torchscript"] {
        let error = export("image", &run, format, &out).error(2);
        assert!(error.contains("taken: is there already; name another place"), "{error}");
        assert_eq!(fs::read(&out).unwrap(), b"mine");
    }
    // Under our own names, as in the run folder.
    let out = folder.path().join("new/model.safetensors");
    export("image", &run, "safetensors", &out).ok();
    assert_eq!(fs::read(out).unwrap(), fs::read(run.join("model.safetensors")).unwrap());
}

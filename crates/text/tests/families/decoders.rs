//! Decoders as classifiers; `xtask/scripts/fixtures/text_decoders.py` made the files.

use std::fs;

use crosstune_core::Pretrained;

use crate::{check, fixture};

#[test]
fn a_llama() {
    check("tiny-llama");
}

#[test]
fn a_mistral() {
    check("tiny-mistral");
}

#[test]
fn a_qwen2() {
    check("tiny-qwen2");
}

#[test]
fn a_qwen3() {
    check("tiny-qwen3");
}

#[test]
fn a_gemma3() {
    check("tiny-gemma3");
}

#[test]
fn a_gemma3_that_looks_both_ways() {
    check("tiny-gemma3-both-ways");
}

/// The error of a fixture whose `config.json` has this instead of that.
fn with(name: &str, found: &str, put: &str) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let config = fs::read_to_string(fixture(name).join("config.json")).unwrap();
    assert!(config.contains(found), "{found}");
    fs::write(folder.path().join("config.json"), config.replace(found, put)).unwrap();
    let weights = fixture(name).join("model.safetensors");
    fs::copy(weights, folder.path().join("model.safetensors")).unwrap();
    Pretrained::open(folder.path()).err().map(|e| e.to_string())
}

#[test]
fn what_is_not_built_is_refused_by_its_field() {
    for (name, found, put, said) in [
        ("tiny-llama", "\"llama3\"", "\"yarn\"", "rope_type is \"yarn\", expected default, linear"),
        ("tiny-mistral", "\"factor\": 2.0,", "", "the rotary positions lack factor"),
        (
            "tiny-llama",
            "\"factor\": 8.0,",
            "\"factor\": 8.0, \"partial_rotary_factor\": 0.5,",
            "partial_rotary_factor",
        ),
        ("tiny-qwen2", "\"sliding_attention\"", "\"linear_attention\"", "\"linear_attention\""),
        ("tiny-qwen2", "\"sliding_window\": 4", "\"sliding_window\": null", "sliding_window"),
        (
            "tiny-gemma3",
            "\"attn_logit_softcapping\": null",
            "\"attn_logit_softcapping\": 50.0",
            "attn_logit_softcapping is not built",
        ),
    ] {
        let message = with(name, found, put).unwrap();
        assert!(message.contains(said), "{message:?} does not say {said:?}");
        assert!(!message.contains('\n'), "{message:?} has several lines");
    }
}

/// Before transformers 5, the rotation was told by other fields.
#[test]
fn an_older_config_is_read_alike() {
    let folder = tempfile::tempdir().unwrap();
    let path = fixture("tiny-llama");
    let read = |path| Pretrained::open(path).unwrap().config().trunk.clone();
    let mut config: serde_json::Value =
        serde_json::from_slice(&fs::read(path.join("config.json")).unwrap()).unwrap();
    let fields = config.as_object_mut().unwrap();
    let mut rope = fields.remove("rope_parameters").unwrap();
    fields.insert("rope_theta".into(), rope["rope_theta"].take());
    rope["type"] = "llama3".into();
    fields.insert("rope_scaling".into(), rope);
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let weights = path.join("model.safetensors");
    fs::copy(weights, folder.path().join("model.safetensors")).unwrap();
    assert_eq!(read(folder.path().to_path_buf()), read(path));
}

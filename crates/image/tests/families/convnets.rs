//! Convolutional networks as their libraries compute them.
//! `xtask/scripts/fixtures/image_convnets.py` made the files.

use std::fs;

use crosstune_core::{Checkpoint, Device, Input, Modality, Model, Pretrained};
use crosstune_image::ImageSettings;
use serde_json::{Value, json};
use tch::Kind;

use crate::{COUNTS, check, check_body, fixture, furthest};

/// Checks a model's probabilities for a picture that is prepared as its publisher says.
fn check_picture(name: &str) {
    let _grad = tch::no_grad_guard();
    let source = Pretrained::open(fixture(name)).unwrap();
    let expected = Checkpoint::open(fixture(name).join("expected.safetensors")).unwrap();
    let mut settings = ImageSettings::default();
    let names = |_, classes| Ok((0..classes).map(|class| format!("class {class}")).collect());
    let model = Model::pretrained(&source, &mut settings, names, Device::Cpu).unwrap();
    let picture = fixture("../../samples/digits/test/3/0060.png");
    let pixels = settings.read(&Input::File(picture)).unwrap();
    let logits = model.classifier().forward(&settings.batch(&[&pixels]), false);
    let got = logits.softmax(-1, Kind::Float).squeeze_dim(0);
    let far = furthest(&got, &expected.tensor("probabilities").unwrap());
    assert!(far < 1e-5, "{name}: probabilities differ by {far:e}");
}

#[test]
fn pictures_are_prepared_as_the_publishers_do() {
    for name in [
        "tiny-seresnext-timm",
        "tiny-resnext-torchvision",
        "tiny-regnet-y",
        "tiny-regnet-timm",
        "tiny-regnet-torchvision",
        "tiny-bit",
        "tiny-bit-timm",
        "tiny-resnetv2-timm",
        "tiny-densenet-timm",
        "tiny-densenet-torchvision",
    ] {
        check_picture(name);
    }
}

#[test]
fn resnets_with_other_stems_shortcuts_groups_and_attention_to_channels() {
    for name in ["tiny-seresnext-timm", "tiny-ecaresnet-timm", "tiny-resnext-torchvision"] {
        check(&fixture(name), name, COUNTS);
    }
}

#[test]
fn a_body_that_fastai_numbered() {
    let name = "tiny-resnet-fastai";
    check_body(&fixture(name).join("model.pth"), name);
}

#[test]
fn regnets_x_and_y_of_every_library() {
    for end in ["y", "x", "timm", "torchvision"] {
        let name = format!("tiny-regnet-{end}");
        check(&fixture(&name), &name, COUNTS);
    }
}

#[test]
fn preactivated_resnets_with_standardised_filters() {
    for name in ["tiny-bit", "tiny-bit-same", "tiny-bit-timm"] {
        check(&fixture(name), name, &[]);
    }
}

#[test]
fn preactivated_resnets_with_batch_norms() {
    for name in ["tiny-resnetv2-timm", "tiny-resnetv2-timm-basic"] {
        check(&fixture(name), name, COUNTS);
    }
}

#[test]
fn densenets_with_new_and_old_names() {
    for name in ["tiny-densenet-timm", "tiny-densenet-torchvision"] {
        check(&fixture(name), name, COUNTS);
    }
}

/// Opens a fixture whose config has another value in a field.
fn with_field(name: &str, field: &str, value: Value) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = fixture(name);
    fs::copy(path.join("model.safetensors"), folder.path().join("model.safetensors")).unwrap();
    let mut config: Value =
        serde_json::from_slice(&fs::read(path.join("config.json")).unwrap()).unwrap();
    config[field] = value;
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let error = Pretrained::open(folder.path()).map(|source| {
        let names = |_, classes| Ok((0..classes).map(|class| format!("class {class}")).collect());
        Model::pretrained(&source, &mut ImageSettings::default(), names, Device::Cpu).err()
    });
    match error {
        Ok(error) => error.map(|e| e.to_string()).unwrap_or_default(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn what_is_built_otherwise_is_refused_by_its_field() {
    for (name, field, value, said) in [
        ("tiny-bit", "global_padding", json!("valid"), "global_padding of valid"),
        ("tiny-bit", "layer_type", json!("bottleneck"), "layer_type is \"bottleneck\""),
        ("tiny-bit", "width_factor", json!(2), "width_factor is 2"),
        ("tiny-bit", "num_groups", json!(0), "0 groups do not divide"),
        ("tiny-bit", "num_groups", json!(i64::MAX), "groups do not divide"),
        ("tiny-regnet-y", "hidden_act", json!("silu"), "hidden_act is \"silu\""),
        ("tiny-regnet-y", "groups_width", json!(0), "a groups_width of at least 1"),
        ("tiny-regnet-y", "hidden_sizes", json!([8, i64::MAX]), "must be at least 1"),
        ("tiny-regnet-y", "depths", json!([1]), "as many depths as hidden_sizes"),
        ("tiny-densenet-timm", "global_pool", json!("catavgmax"), "global_pool is \"catavgmax\""),
        ("tiny-seresnext-timm", "model_args", json!({"act_layer": "silu"}), "act_layer"),
        ("tiny-seresnext-timm", "architecture", json!("resnetblur50"), "resnetblur50"),
        ("tiny-resnetv2-timm", "architecture", json!("resnetv2_50d_evos"), "resnetv2_50d_evos"),
    ] {
        let error = with_field(name, field, value);
        assert!(error.contains(said), "{name}, {field}: {error}");
    }
}

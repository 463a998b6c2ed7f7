//! Convolutional networks as their libraries compute them.
//! `xtask/scripts/fixtures/image_convnets.py` made the files.

use crosstune_core::{Checkpoint, Device, Input, Modality, Model, Pretrained};
use crosstune_image::ImageSettings;
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

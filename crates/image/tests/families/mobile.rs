//! MobileNets, EfficientNets and ConvNeXts. `xtask/scripts/fixtures/image_mobile.py` and
//! `image_convnext.py` made the files.

use std::fs;

use crosstune_core::{Checkpoint, Device, Input, Modality, Model, Pretrained, TrunkConfig};
use crosstune_image::ImageSettings;
use tch::Kind;

use crate::{COUNTS, check, fixture, furthest};

#[test]
fn mobile_networks_of_transformers() {
    for name in ["tiny-efficientnet-hf", "tiny-mobilenetv2-hf"] {
        check(&fixture(name), name, COUNTS);
    }
}

#[test]
fn mobile_networks_of_timm() {
    for name in [
        "tiny-mobilenetv2-timm",
        "tiny-mobilenetv3-timm",
        "tiny-efficientnet-timm",
        "tiny-efficientnetv2-timm",
        "tiny-efficientnet-lite-timm",
    ] {
        check(&fixture(name), name, COUNTS);
    }
}

#[test]
fn mobile_networks_of_torchvision() {
    for name in [
        "tiny-mobilenetv2-torchvision",
        "tiny-mobilenetv3-torchvision",
        "tiny-efficientnet-torchvision",
        "tiny-efficientnetv2-torchvision",
    ] {
        check(&fixture(name).join("model.safetensors"), name, COUNTS);
    }
}

#[test]
fn an_efficientnet_by_the_names_of_efficientnet_pytorch() {
    let name = "tiny-efficientnet-lukemelas";
    check(&fixture(name).join("efficientnet.safetensors"), name, COUNTS);
}

#[test]
fn convnexts() {
    for name in [
        "tiny-convnext-hf",
        "tiny-convnextv2-hf",
        "tiny-convnext-timm",
        "tiny-convnext-timm-mlp",
        "tiny-convnextv2-timm",
    ] {
        check(&fixture(name), name, COUNTS);
    }
    for name in ["tiny-convnext-torchvision", "tiny-convnext-facebook", "tiny-convnextv2-facebook"]
    {
        check(&fixture(name).join("convnext.safetensors"), name, COUNTS);
    }
}

#[test]
fn pictures_are_prepared_as_efficientnets_processor_does() {
    let _grad = tch::no_grad_guard();
    let name = "tiny-efficientnet-hf";
    let expected = Checkpoint::open(fixture(name).join("expected.safetensors")).unwrap();
    let source = Pretrained::open(fixture(name)).unwrap();
    let mut settings = ImageSettings::default();
    let none = |_, _| Ok(vec![]);
    let model = Model::pretrained(&source, &mut settings, none, Device::Cpu).unwrap();
    let picture = [env!("CARGO_MANIFEST_DIR"), "samples/digits/test/0/0160.png"].iter().collect();
    let sample = settings.read(&Input::File(picture)).unwrap();
    let got = model.classifier().forward(&settings.batch(&[&sample]), false);
    let far = furthest(&got.softmax(-1, Kind::Float), &expected.tensor("probabilities").unwrap());
    assert!(far < 1e-5, "{far:e}");
}

#[test]
fn what_names_alone_do_not_tell_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for (name, told) in [
        ("tiny-efficientnet-timm", "its padding, activations and epsilon cannot be told"),
        ("tiny-efficientnet-hf", "its strides and activation cannot be told"),
        ("tiny-convnext-hf", "the epsilon of its last norm cannot be told"),
    ] {
        let bare = folder.path().join("bare.safetensors");
        fs::copy(fixture(name).join("model.safetensors"), &bare).unwrap();
        let error = Pretrained::open(&bare).unwrap_err().to_string();
        assert!(error.contains(told) && error.contains("config.json"), "{error}");
    }
    // But timm's ConvNeXts have one epsilon.
    let bare = folder.path().join("bare.safetensors");
    fs::copy(fixture("tiny-convnextv2-timm").join("model.safetensors"), &bare).unwrap();
    assert_eq!(Pretrained::open(&bare).unwrap().config().name, "timm-convnextv2");
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    for (name, from, to, problem) in [
        ("tiny-efficientnet-timm", r#""avg""#, r#""max""#, "global_pool"),
        (
            "tiny-efficientnet-timm",
            r#""model_args": {"#,
            r#""model_args": {"act_layer": "relu","#,
            "act_layer is set",
        ),
        ("tiny-efficientnet-timm", "efficientnet_b0", "efficientnet_cc_b0_4e", "architecture"),
        ("tiny-efficientnet-hf", r#""mean""#, r#""max""#, "pooling_type"),
        (
            "tiny-mobilenetv2-hf",
            r#""output_stride": 32"#,
            r#""output_stride": 16"#,
            "output_stride",
        ),
        (
            "tiny-convnext-hf",
            r#""hidden_act": "gelu""#,
            r#""hidden_act": "mish""#,
            r#"hidden_act is "mish""#,
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = fs::read_to_string(fixture(name).join("config.json")).unwrap();
        assert!(config.contains(from), "{name}: {from}");
        fs::write(folder.path().join("config.json"), config.replace(from, to)).unwrap();
        fs::copy(fixture(name).join("model.safetensors"), folder.path().join("model.safetensors"))
            .unwrap();
        let mut settings = ImageSettings::default();
        let built = Pretrained::open(folder.path()).and_then(|source| {
            let labels = |_, _| Ok(["a", "b", "c"].map(String::from).into());
            Model::pretrained(&source, &mut settings, labels, Device::Cpu).map(|_| ())
        });
        let error = built.unwrap_err().to_string();
        assert!(error.contains(problem), "{name}: {error}");
    }
}

#[test]
fn stages_are_those_of_the_publishers() {
    for (name, stages) in [
        ("tiny-efficientnetv2-timm", 5),
        ("tiny-mobilenetv3-timm", 4),
        ("tiny-mobilenetv2-hf", 18),
        ("tiny-convnext-timm", 4),
    ] {
        let source = Pretrained::open(fixture(name)).unwrap();
        let TrunkConfig::ConvNet(net) = &source.config().trunk else {
            unreachable!("{name} is a network of convolutions");
        };
        assert_eq!(net.stages.len(), stages, "{name}");
    }
}

//! What a design is read as, what is refused, and what a run folder's model is taken as.

use std::fs;

use tch::{Device, Kind, Tensor};

use super::*;
use crate::family::pretrained::Pretrained;
use crate::nn::{BlockKind, MapNormKind, NormConfig, SwinVersion};
use crate::weights::{Lora, WeightSource, write_tensors};

/// Opens a file of this name and contents.
fn opened(name: &str, text: &str) -> Result<Pretrained> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    Pretrained::open(path)
}

#[test]
fn a_design_says_what_differs_from_the_usual() {
    let source = opened(
        "small.json",
        r#"{"trunk": {"transformer": {"width": 48, "depth": 2, "heads": 3}}}"#,
    )
    .unwrap();
    let want = TransformerConfig { heads: 3, ..TransformerConfig::of(48, 2) };
    assert_eq!(source.config().trunk, TrunkConfig::Transformer(want));
    assert!(!source.has_weights());
    let error = source.source().unwrap_err();
    assert!(error.is_usage_error() && error.to_string().contains("--init random"), "{error}");

    let text = r#"{"trunk": {"resnet": {"planes": 8, "shortcut": "padded",
        "stages": [{"blocks": 1, "width": 8, "stride": 1}]}}}"#;
    let source = opened("r.json", text).unwrap();
    let TrunkConfig::ConvNet(trunk) = &source.config().trunk else {
        unreachable!("a ResNet was asked for");
    };
    assert_eq!((trunk.in_channels, trunk.block), (8, BlockKind::Basic));
    let text = r#"{"trunk": {"resnet": {"in_channels": 8, "norm": {"group": 4}, "block": "bottleneck",
        "stages": [{"blocks": 1, "width": 8, "stride": 1, "inner": 8, "groups": 2}]}}}"#;
    let source = opened("x.json", text).unwrap();
    let TrunkConfig::ConvNet(trunk) = &source.config().trunk else {
        unreachable!("a ResNet was asked for");
    };
    assert_eq!((trunk.norm, trunk.stages[0].groups), (NormConfig::of(MapNormKind::Group(4)), 2));

    let text = r#"{"trunk": {"swin": {"width": 8,
        "stages": [{"blocks": 2, "heads": 2, "window": 4}]}}}"#;
    let source = opened("s.json", text).unwrap();
    let TrunkConfig::Swin(trunk) = &source.config().trunk else {
        unreachable!("a Swin was asked for");
    };
    assert_eq!((trunk.version, trunk.mlp(0)), (SwinVersion::V1, 32));
}

#[test]
fn a_folder_with_a_config_alone_is_what_the_config_says() {
    let folder = tempfile::tempdir().unwrap();
    let config = r#"{"model_type": "vit", "hidden_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 64, "image_size": 16, "patch_size": 4}"#;
    fs::write(folder.path().join(CONFIG), config).unwrap();
    let source = Pretrained::open(folder.path()).unwrap();
    assert_eq!((source.config().name.as_str(), source.has_weights()), ("vit", false));
    assert!(matches!(source.config().embedder, EmbedderConfig::Patches(_)));
    // With weights beside it, the config is theirs, and these are broken.
    fs::write(folder.path().join(WEIGHTS), b"broken").unwrap();
    assert!(Pretrained::open(folder.path()).is_err());
}

#[test]
fn a_design_that_cannot_be_read_is_refused() {
    for (text, said) in [
        (r#"{"trunk": {"transformer": {"depth": 2}}}"#, "needs a width"),
        (
            r#"{"trunk": {"transformer": {"width": 8, "depth": 1, "hight": 2}}}"#,
            "unknown field `hight`",
        ),
        (r#"{"trunk": {"resnet": {"planes": 8}}}"#, "trunk: "),
        (r#"{"trunk": {"lstm": {}}}"#, "expected one of"),
        (r#"{"trunk": {"resnet": {}, "transformer": {}}}"#, "expected one of"),
        (r#"{"model_type": "mamba"}"#, "the model_type is \"mamba\""),
        ("[]", "no model_type"),
    ] {
        let error = opened("design.json", text).unwrap_err().to_string();
        assert!(error.contains("design.json") && error.contains(said), "{error}");
    }
}

#[test]
fn adapters_are_added_to_the_weights_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(WEIGHTS);
    let random = |shape: &[i64]| Tensor::randn(shape, (Kind::Float, Device::Cpu));
    let (weight, a, b) = (random(&[3, 5]), random(&[2, 5]), random(&[3, 2]));
    let named = [("weight", &weight), ("lora_a", &a), ("lora_b", &b)];
    let named = named.map(|(leaf, t)| (format!("trunk.q.{leaf}"), t.shallow_clone()));
    write_tensors(named, &path).unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    let lora = Lora { rank: 2, alpha: 6., ..Lora::default() };
    let merged =
        WeightSource::to_transfer(&checkpoint, Some(&lora)).tensor("trunk.q.weight", &[3, 5]);
    let expected = &weight + b.matmul(&a) * 3.;
    assert!(merged.unwrap().allclose(&expected, 1e-6, 1e-5, false));
    // The very model keeps them apart.
    let same = WeightSource::ours(&checkpoint).tensor("trunk.q.weight", &[3, 5]).unwrap();
    assert_eq!(same, weight);
}

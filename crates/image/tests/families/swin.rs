//! Swin transformers of transformers, timm and torchvision. `xtask/scripts/fixtures/swin_models.py`
//! made the files.

use std::{fs, path::Path};

use crosstune_core::{Batch, Checkpoint, Device, Model, Pretrained};
use crosstune_image::ImageSettings;

use crate::{WITHIN, check, fixture, furthest};

/// What old files keep and newer ones compute.
const COMPUTED: &[&str] = &["relative_position_index", "relative_coords_table"];

/// Pictures of another size than the model was made for.
fn check_others(path: &Path, folder: &str) {
    let _grad = tch::no_grad_guard();
    let source = Pretrained::open(path).unwrap();
    let expected = Checkpoint::open(fixture(folder).join("expected.safetensors")).unwrap();
    let labels = ["a", "b", "c"].map(String::from).to_vec();
    let mut settings = ImageSettings::default();
    let model =
        Model::pretrained(&source, &mut settings, |_, _| Ok(labels.clone()), Device::Cpu).unwrap();
    let x = expected.tensor("pixels.other").unwrap();
    let logits = model.classifier().forward(&Batch { x, attention_mask: None }, false);
    let far = furthest(&logits, &expected.tensor("logits.other").unwrap());
    assert!(far < WITHIN, "{folder}: logits differ by {far:e}");
}

#[test]
fn swins_of_transformers() {
    for name in ["tiny-swin", "tiny-swinv2"] {
        check(&fixture(name), name, &[]);
    }
    check_others(&fixture("tiny-swin"), "tiny-swin");
}

#[test]
fn swins_of_timm() {
    for name in ["tiny-timm-swin", "tiny-timm-swinv2"] {
        check(&fixture(name), name, &[]);
    }
}

#[test]
fn swins_of_torchvision() {
    for name in ["tiny-torchvision-swin", "tiny-torchvision-swinv2"] {
        let path = fixture(name).join("swin.pth");
        check(&path, name, COMPUTED);
        check_others(&path, name);
    }
}

#[test]
fn a_swin_of_its_authors() {
    let name = "tiny-microsoft-swin";
    check(&fixture(name).join("swin.pth"), name, COMPUTED);
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    let config = fs::read_to_string(fixture("tiny-swin").join("config.json")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::copy(
        fixture("tiny-swin").join("model.safetensors"),
        folder.path().join("model.safetensors"),
    )
    .unwrap();
    for (from, to, said) in [
        (
            "\"use_absolute_embeddings\": false",
            "\"use_absolute_embeddings\": true",
            "use_absolute_embeddings is true, which is not supported",
        ),
        ("\"patch_size\": 2", "\"patch_size\": 0", "its patches do not fit its pictures"),
        ("\"depths\": [", "\"depths\": [1,", "differ in length"),
    ] {
        let changed = config.replace(from, to);
        assert_ne!(changed, config, "{from}");
        fs::write(folder.path().join("config.json"), changed).unwrap();
        let error = Pretrained::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

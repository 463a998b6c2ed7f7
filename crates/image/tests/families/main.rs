//! Image models as their libraries compute them: embedder, trunk, pool and head of every family.
//! `xtask/scripts/fixtures/image_models.py` made the files.

mod adapters;
mod swin;
mod convnets;
mod mobile;
mod vision;

use std::{
    fs,
    path::{Path, PathBuf},
};

use crosstune_core::{
    Batch, Checkpoint, Device, Features, LoadParts, Modality, Model, Pretrained, Sequence,
};
use crosstune_image::ImageSettings;
use tch::Tensor;

/// Correct runs differ by at most 3e-7; a wrong epsilon or GELU shows by more.
pub(crate) const WITHIN: f64 = 5e-6;

pub(crate) fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures", name].iter().collect()
}

/// The largest difference between two tensors, as a share of the largest value if that is above 1.
pub(crate) fn furthest(got: &Tensor, want: &Tensor) -> f64 {
    assert_eq!(got.size(), want.size());
    let largest = want.abs().max().double_value(&[]);
    (got - want).abs().max().double_value(&[]) / largest.max(1.)
}

/// Checks the model at `path` against what is expected in `folder`; `untaken` are the tensors that no
/// classifier needs.
pub(crate) fn check(path: &Path, folder: &str, untaken: &[&str]) {
    let _grad = tch::no_grad_guard();
    let source = Pretrained::open(path).unwrap();
    let expected = Checkpoint::open(fixture(folder).join("expected.safetensors")).unwrap();
    let want = |tensor: &str| expected.tensor(tensor).unwrap();
    let batch = Batch { x: want("pixels"), attention_mask: None };

    let classes = want("logits").size()[1];
    assert_eq!(source.classes().unwrap(), Some(classes as usize));
    let names: Vec<_> = (0..classes).map(|class| format!("class {class}")).collect();
    let mut settings = ImageSettings::default();
    let model =
        Model::pretrained(&source, &mut settings, |_, _| Ok(names.clone()), Device::Cpu).unwrap();
    match &source.config().head.labels {
        Some(labels) => assert_eq!((labels, labels[1].as_str()), (&model.spec().labels, "stork")),
        None => assert_eq!(model.spec().labels, names),
    }

    let classifier = model.classifier();
    for (features, name) in [
        (classifier.encoder().embed(&batch, false), "embedded"),
        (classifier.encoder().trunk_output(&batch, false), "hidden"),
    ] {
        let (Features::Sequence(Sequence { x, .. }) | Features::FeatureMap(x)) = features;
        let far = furthest(&x, &want(name));
        assert!(far < WITHIN, "{folder}: {name} differs by {far:e}");
    }
    let far = furthest(&classifier.forward(&batch, false), &want("logits"));
    assert!(far < WITHIN, "{folder}: logits differ by {far:e}");
    let report = model.report();
    assert_eq!((report.fresh.len(), report.reshaped.len()), (0, 0), "{folder}");
    let expected = |name: &String| untaken.iter().any(|end| name.ends_with(end));
    let unexpected: Vec<_> = report.unused.iter().filter(|name| !expected(name)).collect();
    assert!(unexpected.is_empty(), "{folder}: {unexpected:?}");
}

/// Checks a model whose head is none of ours: its embedder and its trunk.
pub(crate) fn check_body(path: &Path, folder: &str) {
    let _grad = tch::no_grad_guard();
    let source = Pretrained::open(path).unwrap();
    let expected = Checkpoint::open(fixture(folder).join("expected.safetensors")).unwrap();
    let want = |tensor: &str| expected.tensor(tensor).unwrap();
    let batch = Batch { x: want("pixels"), attention_mask: None };
    assert_eq!(source.classes().unwrap(), None);
    let mut settings = ImageSettings::default();
    let embedder = settings.adopt(&source).unwrap();
    let spec = ImageSettings::spec(&source, embedder, vec!["heron".into(), "stork".into()]);
    let tensors = source.source().unwrap();
    let loaded = Some((&tensors, LoadParts::Body));
    let model = Model::new(spec, &settings, loaded, Device::Cpu).unwrap();
    let encoder = model.classifier().encoder();
    for (features, name) in [
        (encoder.embed(&batch, false), "embedded"),
        (encoder.trunk_output(&batch, false), "hidden"),
    ] {
        let (Features::Sequence(Sequence { x, .. }) | Features::FeatureMap(x)) = features;
        let far = furthest(&x, &want(name));
        assert!(far < WITHIN, "{folder}: {name} differs by {far:e}");
    }
}

/// Batch norms count their batches, which nothing depends on.
pub(crate) const COUNTS: &[&str] = &["num_batches_tracked"];

#[test]
fn a_vit() {
    check(&fixture("tiny-vit"), "tiny-vit", &[]);
}

#[test]
fn a_deit() {
    check(&fixture("tiny-deit"), "tiny-deit", &[]);
}

#[test]
fn a_deit_with_its_teachers_head() {
    check(&fixture("tiny-deit-distilled"), "tiny-deit-distilled", &[]);
}

#[test]
fn a_dinov2() {
    check(&fixture("tiny-dinov2"), "tiny-dinov2", &["mask_token"]);
}

#[test]
fn a_vit_of_timm() {
    check(&fixture("tiny-timm-vit"), "tiny-timm-vit", &[]);
}

#[test]
fn a_vit_of_timm_needs_its_config_to_count_its_heads() {
    let bare = fixture("tiny-timm-vit-bare").join("vit.pth");
    let error = Pretrained::open(&bare).unwrap_err().to_string();
    assert!(error.contains("the number of attention heads cannot be told"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("vit.pth");
    fs::copy(bare, &whole).unwrap();
    fs::copy(fixture("tiny-timm-vit").join("config.json"), folder.path().join("config.json"))
        .unwrap();
    check(&whole, "tiny-timm-vit", &[]);
}

#[test]
fn resnets_of_transformers() {
    for name in ["tiny-resnet-hf-basic", "tiny-resnet-hf-bottleneck"] {
        check(&fixture(name), name, COUNTS);
    }
}

#[test]
fn a_resnet_of_timm() {
    check(&fixture("tiny-resnet-timm"), "tiny-resnet-timm", COUNTS);
}

#[test]
fn resnets_of_torchvision() {
    for name in ["tiny-resnet-torchvision-basic", "tiny-resnet-torchvision-bottleneck"] {
        check(&fixture(name).join("resnet.pth"), name, COUNTS);
    }
}

#[test]
fn a_resnet_for_small_pictures() {
    check(&fixture("tiny-resnet-cifar").join("resnet.th"), "tiny-resnet-cifar", COUNTS);
}

//! Text models as transformers computes them: embedder, trunk, pool and head of every family, with
//! padding. `text_models.py` and `text_encoders.py` in `xtask/scripts/fixtures` made the files.

mod adapters;
mod decoders;
mod encoders;
mod tagging;

use std::path::{Path, PathBuf};

use crosstune_core::{
    Batch, Checkpoint, CutPoint, EmbedderConfig, Encoder, Features, Fresh, Head, LoadReport,
    Pretrained, Trunk, VarBuilder,
};
use crosstune_text::TokenEmbedder;
use tch::{Device, Kind, Tensor, nn::VarStore};

/// Correct runs differ by at most 2e-6; a wrong epsilon or GELU shows by more.
pub(crate) const WITHIN: f64 = 5e-6;

pub(crate) fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures", name].iter().collect()
}

/// The largest difference between two tensors, at places that hold data.
pub(crate) fn furthest(got: &Tensor, want: &Tensor, mask: &Tensor) -> f64 {
    assert_eq!(got.size(), want.size());
    let difference = (got - want).abs();
    let mask = if difference.dim() == 3 { mask.unsqueeze(-1) } else { mask.ones_like().any() };
    (difference * mask).max().double_value(&[])
}

pub(crate) fn check(name: &str) {
    check_folder(&fixture(name));
}

pub(crate) fn check_folder(folder: &Path) {
    let _grad = tch::no_grad_guard();
    let pretrained = Pretrained::open(folder).unwrap();
    let expected = Checkpoint::open(folder.join("expected.safetensors")).unwrap();
    let want = |tensor: &str| expected.tensor(tensor).unwrap();
    let mask = want("mask").to_kind(Kind::Bool);
    let batch = Batch { x: want("ids"), attention_mask: Some(mask.shallow_clone()) };

    let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
    let source = pretrained.source().unwrap();
    let family = pretrained.config();
    let root = VarBuilder::root(&store, &fresh).with_source(Some(&source));
    let trunk = Trunk::new(&root.sub("trunk"), &family.trunk).unwrap();
    let EmbedderConfig::Tokens(tokens) = &family.embedder else { panic!("not of tokens") };
    let embedder = TokenEmbedder::new(root.sub("embed"), tokens, trunk.accepts()).unwrap();
    let encoder = Encoder::join(Box::new(embedder), trunk, family.head.pool).unwrap();
    let classes = pretrained.classes().unwrap().unwrap();
    assert_eq!((classes, family.head.labels.as_ref().unwrap()[1].as_str()), (3, "stork"));
    let head = Head::new(&root.sub("head"), family.head.config, encoder.width(), classes).unwrap();

    for (features, name) in [
        (encoder.embed(&batch, false), "embedded"),
        (encoder.trunk_output(&batch, false), "hidden"),
    ] {
        let Features::Sequence(sequence) = features else { panic!("not a sequence") };
        let far = furthest(&sequence.x, &want(name), &mask);
        assert!(far < WITHIN, "{name} differs by {far:e}");
    }
    let pooled = encoder.forward(&batch, false);
    let far = furthest(&head.forward(&pooled), &want("logits"), &mask);
    assert!(far < WITHIN, "logits differ by {far:e}");
    // What is kept below any part of the trunk is gone on from there.
    let inputs = CutPoint::Inputs;
    for cut in (0..=family.trunk.depth()).map(CutPoint::Trunk) {
        let kept = encoder.forward_between(&batch, inputs, cut);
        assert_eq!(encoder.forward_from(&kept, cut, false), pooled, "{cut:?}");
        let last = encoder.forward_between(&kept, cut, CutPoint::Pooled);
        assert_eq!(last.x, pooled, "{cut:?}");
        let first = CutPoint::Trunk(0);
        let embedded = encoder.forward_between(&batch, inputs, first);
        let by_way = encoder.forward_between(&embedded, first, cut);
        assert_eq!(
            encoder.forward_from(&by_way, cut, false),
            pooled,
            "{cut:?} by way of {first:?}"
        );
    }
    let report = LoadReport::new(Some(&source), &fresh);
    assert_eq!((report.fresh.len(), report.unused), (0, vec![]));
}

#[test]
fn a_bert_with_its_pooler() {
    check("tiny-bert-classifier");
}

#[test]
fn a_roberta() {
    check("tiny-roberta");
}

#[test]
fn a_distilbert() {
    check("tiny-distilbert");
}

#[test]
fn a_gpt2() {
    check("tiny-gpt2");
}

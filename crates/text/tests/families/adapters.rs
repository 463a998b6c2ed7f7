//! Adapters of PEFT on text models; `xtask/scripts/fixtures/adapters.py` made the files.

use crosstune_core::{
    Batch, Checkpoint, EmbedderConfig, Encoder, Fresh, Head, LoadReport, Pretrained, Trunk,
    VarBuilder,
};
use crosstune_text::TokenEmbedder;
use tch::{Device, Kind, nn::VarStore};

use crate::{WITHIN, fixture};

#[test]
fn a_gpt2_with_adapters_of_other_ranks_scales_and_layouts() {
    let _grad = tch::no_grad_guard();
    let pretrained = Pretrained::open(fixture("tiny-gpt2-lora")).unwrap();
    let given = Checkpoint::open(fixture("tiny-gpt2/expected.safetensors")).unwrap();
    let mask = given.tensor("mask").unwrap().to_kind(Kind::Bool);
    let batch = Batch { x: given.tensor("ids").unwrap(), attention_mask: Some(mask) };

    let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
    let (source, family) = (pretrained.source().unwrap(), pretrained.config());
    let root = VarBuilder::root(&store, &fresh).with_source(Some(&source));
    let trunk = Trunk::new(&root.sub("trunk"), &family.trunk).unwrap();
    let EmbedderConfig::Tokens(tokens) = &family.embedder else { panic!("not of tokens") };
    let embedder = TokenEmbedder::new(root.sub("embed"), tokens, trunk.accepts()).unwrap();
    let encoder = Encoder::join(Box::new(embedder), trunk, family.head.pool).unwrap();
    let head = Head::new(&root.sub("head"), family.head.config, encoder.width(), 3).unwrap();

    let logits = head.forward(&encoder.forward(&batch, false));
    for (folder, least, most) in [("tiny-gpt2", 0.1, f64::MAX), ("tiny-gpt2-lora", 0., WITHIN)] {
        let expected = Checkpoint::open(fixture(folder).join("expected.safetensors")).unwrap();
        let far = (&logits - expected.tensor("logits").unwrap()).abs().max().double_value(&[]);
        assert!(far >= least && far < most, "{folder}: logits differ by {far:e}");
    }
    // All of the adapter is used, and only the base's own head is not.
    let report = LoadReport::new(Some(&source), &fresh);
    assert_eq!((report.fresh.len(), report.unused), (0, vec!["score.weight".to_string()]));
}

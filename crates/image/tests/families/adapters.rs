//! Adapters of PEFT on image models; `xtask/scripts/fixtures/adapters.py` made the files.

use crosstune_core::{Batch, Checkpoint, Device, Model, Pretrained};
use crosstune_image::ImageSettings;

use crate::{WITHIN, fixture, furthest};

#[test]
fn a_vit_whose_layers_have_other_names_in_memory_with_a_head_of_more_classes() {
    let _grad = tch::no_grad_guard();
    let source = Pretrained::open(fixture("tiny-vit-lora")).unwrap();
    assert_eq!(source.classes().unwrap(), Some(4));
    let given = Checkpoint::open(fixture("tiny-vit/expected.safetensors")).unwrap();
    let batch = Batch { x: given.tensor("pixels").unwrap(), attention_mask: None };
    let mut settings = ImageSettings::default();
    let names = |_, n| Ok((0..n).map(|class| format!("class {class}")).collect());
    let model = Model::pretrained(&source, &mut settings, names, Device::Cpu).unwrap();
    // The base's classes are others.
    assert_eq!(model.spec().labels[3], "class 3");
    let expected = Checkpoint::open(fixture("tiny-vit-lora/expected.safetensors")).unwrap();
    let want = expected.tensor("logits").unwrap();
    let far = furthest(&model.classifier().forward(&batch, false), &want);
    assert!(far < WITHIN, "logits differ by {far:e}");
    assert_eq!(model.report().unused, ["classifier.bias", "classifier.weight"]);
}

//! Convolutional networks as their libraries compute them.
//! `xtask/scripts/fixtures/image_convnets.py` made the files.

use crate::{COUNTS, check, check_body, fixture};

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

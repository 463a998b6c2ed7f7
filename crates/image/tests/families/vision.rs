//! Vision transformers of every build. `xtask/scripts/fixtures/vision_models.py` made the files.

use std::fs;

use crosstune_core::{
    Batch, Checkpoint, CutPoint, Device, Features, LoadParts, Modality, Model, Pretrained,
    Sequence, export,
};
use crosstune_image::{ImageOptions, ImageSettings};

use crate::{WITHIN, check, fixture, furthest};

/// Checks the body of a model without a head, and its own pool.
fn check_body(name: &str, untaken: &[&str]) {
    check_sized(name, None, untaken);
}

/// The same for pictures of a side.
fn check_sized(name: &str, size: Option<u32>, untaken: &[&str]) {
    let _grad = tch::no_grad_guard();
    let (model, expected) = body(name, ImageOptions { size, ..ImageOptions::default() });
    let want = |tensor: &str| expected.tensor(tensor).unwrap();
    let batch = Batch { x: want("pixels"), attention_mask: None };
    let encoder = model.classifier().encoder();
    for (features, tensor) in [
        (encoder.embed(&batch, false), "embedded"),
        (encoder.trunk_output(&batch, false), "hidden"),
    ] {
        let (Features::Sequence(Sequence { x, .. }) | Features::FeatureMap(x)) = features;
        let far = furthest(&x, &want(tensor));
        assert!(far < WITHIN, "{name}: {tensor} differs by {far:e}");
    }
    let far = furthest(&encoder.forward(&batch, false), &want("pooled"));
    assert!(far < WITHIN, "{name}: pooled differs by {far:e}");
    let report = model.report();
    assert_eq!(report.fresh, ["head.bias", "head.weight"], "{name}");
    assert!(report.reshaped.is_empty(), "{name}");
    let left = |one: &&String| !untaken.iter().any(|part| one.contains(part));
    let unexpected: Vec<_> = report.unused.iter().filter(left).collect();
    assert!(unexpected.is_empty(), "{name}: {unexpected:?}");
}

/// A model with the pool of its source and a new head, and what is expected of it.
fn body(name: &str, asked: ImageOptions) -> (Model, Checkpoint) {
    let source = Pretrained::open(fixture(name)).unwrap();
    let mut settings = ImageSettings::new(asked).unwrap();
    let origin = settings.adopt(&source).unwrap();
    settings.survey(&[]);
    let head = &source.config().head;
    let spec = ImageSettings::spec(&source, origin, vec!["one".into()]);
    let spec = spec.with_head(head.pool, head.config);
    let taken = source.source().unwrap();
    let parts = Some((&taken, LoadParts::BodyAndHead));
    let model = Model::new(spec, &settings, parts, Device::Cpu).unwrap();
    (model, Checkpoint::open(fixture(name).join("expected.safetensors")).unwrap())
}

#[test]
fn dinov2_with_a_swiglu_and_with_registers() {
    for name in ["tiny-dinov2-swiglu", "tiny-dinov2-registers", "tiny-dinov2-registers-swiglu"] {
        check(&fixture(name), name, &["mask_token"]);
    }
}

#[test]
fn dinov3_of_transformers_and_of_its_authors() {
    check_body("tiny-dinov3", &["mask_token"]);
    check_body("tiny-dinov3-gated", &["mask_token"]);
    check_sized("dinov3-facebook", Some(8), &["mask_token", "periods", "bias_mask"]);
}

#[test]
fn towers_of_clip_and_siglip() {
    // Its class for tasks does not use the norm behind the tower.
    check(&fixture("tiny-clip"), "tiny-clip", &["post_layernorm.weight", "post_layernorm.bias"]);
    check_body("tiny-clip-both", &["text_model", "projection", "logit_scale"]);
    // Nor SigLIP's its pool.
    let pool = [
        "head.probe",
        "head.attention.in_proj_weight",
        "head.attention.in_proj_bias",
        "head.attention.out_proj.weight",
        "head.attention.out_proj.bias",
        "head.layernorm.weight",
        "head.layernorm.bias",
        "head.mlp.fc1.weight",
        "head.mlp.fc1.bias",
        "head.mlp.fc2.weight",
        "head.mlp.fc2.bias",
    ];
    check(&fixture("tiny-siglip"), "tiny-siglip", &pool);
    check_body("tiny-siglip-both", &["text_model", "logit_scale", "logit_bias"]);
}

#[test]
fn beit_and_its_kin() {
    for name in ["tiny-beit", "tiny-beit-absolute", "tiny-data2vec-vision"] {
        check(&fixture(name), name, &[]);
    }
}

#[test]
fn encoders_of_mae_and_msn() {
    check_body("tiny-vit-mae", &["decoder."]);
    check(&fixture("tiny-vit-msn"), "tiny-vit-msn", &[]);
}

#[test]
fn vision_transformers_of_timm() {
    for name in [
        "tiny-timm-reg",
        "tiny-timm-clip",
        "tiny-timm-siglip",
        "tiny-timm-siglip-gap",
        "tiny-timm-map",
        "tiny-timm-qk-norm",
        "tiny-timm-distilled",
        "tiny-timm-deit3",
        "tiny-timm-dinov2",
    ] {
        check(&fixture(name), name, &[]);
    }
}

#[test]
fn evas_and_beits_of_timm() {
    for name in [
        "tiny-timm-dinov3",
        "tiny-timm-dinov3-gated",
        "tiny-timm-eva02",
        "tiny-timm-eva02-clip",
        "tiny-timm-rope",
        "tiny-timm-beit",
    ] {
        check(&fixture(name), name, &[]);
    }
}

#[test]
fn another_grid_has_other_positions() {
    let _grad = tch::no_grad_guard();
    for name in ["tiny-dinov3", "tiny-beit", "tiny-timm-eva02"] {
        let asked = ImageOptions { size: Some(12), ..ImageOptions::default() };
        let (model, expected) = body(name, asked);
        let want = |tensor: &str| expected.tensor(tensor).unwrap();
        let batch = Batch { x: want("pixels.small"), attention_mask: None };
        let Features::Sequence(Sequence { x, .. }) =
            model.classifier().encoder().trunk_output(&batch, false)
        else {
            panic!("a sequence")
        };
        let far = furthest(&x, &want("hidden.small"));
        assert!(far < WITHIN, "{name}: {far:e}");
    }
}

#[test]
fn the_outputs_of_frozen_parts_lead_to_the_same_features_and_so_does_torchscript() {
    let _grad = tch::no_grad_guard();
    let folder = tempfile::tempdir().unwrap();
    for name in ["tiny-siglip-both", "tiny-timm-map", "tiny-dinov3", "tiny-beit"] {
        let (model, expected) = body(name, ImageOptions::default());
        let batch = Batch { x: expected.tensor("pixels").unwrap(), attention_mask: None };
        let encoder = model.classifier().encoder();
        let whole = encoder.forward(&batch, false);
        for cut in [CutPoint::Trunk(0), CutPoint::Trunk(1), CutPoint::Trunk(2), CutPoint::Pooled] {
            let kept = encoder.forward_between(&batch, CutPoint::Inputs, cut);
            assert_eq!(encoder.forward_from(&kept, cut, false), whole, "{name}, {cut:?}");
        }

        let source = Pretrained::open(fixture(name)).unwrap();
        let mut settings = ImageSettings::default();
        settings.adopt(&source).unwrap();
        let file = folder.path().join(format!("{name}.pt"));
        export::torchscript(&model, &settings, &settings.example(), &file).unwrap();
        let traced = tch::CModule::load(&file).unwrap();
        let far = furthest(
            &traced.forward_ts(&[&batch.x]).unwrap(),
            &model.classifier().forward(&batch, false),
        );
        assert!(far < WITHIN, "{name}: {far:e}");
    }
}

#[test]
fn what_is_not_built_is_refused_by_name() {
    let refused = |name: &str, from: &str, to: &str| {
        let folder = tempfile::tempdir().unwrap();
        let config = fs::read_to_string(fixture(name).join("config.json")).unwrap();
        assert!(config.contains(from), "{name}: {from}");
        fs::write(folder.path().join("config.json"), config.replace(from, to)).unwrap();
        let model = "model.safetensors";
        fs::copy(fixture(name).join(model), folder.path().join(model)).unwrap();
        Pretrained::open(folder.path()).unwrap_err().to_string()
    };
    let reg = "vit_wee_patch16_reg1_gap_256";
    for (name, from, to, said) in [
        ("timm-reg", r#""avg""#, r#""max""#, r#"global_pool is "max", expected token, avg or map"#),
        ("timm-reg", reg, "vit_pe_core_base_patch16_224", "vit_pe_core_base_patch16_224 is not"),
        ("timm-rope", "_rope_reg1_gap_256", "_rope_224", r#"a rope_grid_indexing "xy""#),
        ("siglip", r#""model_type": "siglip","#, r#""model_type": "siglip2","#, "NaFlex"),
        ("dinov3", r#""patch_size": 4"#, r#""patch_size": 0"#, "patches of 0 pixels"),
    ] {
        let error = refused(&format!("tiny-{name}"), from, to);
        assert!(error.contains(said), "{name}: {error}");
    }
}

#[test]
fn what_is_exported_for_transformers_opens_again() {
    let _grad = tch::no_grad_guard();
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "tiny-dinov2-swiglu",
        "tiny-dinov2-registers",
        "tiny-clip",
        "tiny-siglip",
        "tiny-beit",
        "tiny-beit-absolute",
        "tiny-data2vec-vision",
        "tiny-vit-msn",
        "tiny-timm-qk-norm",
    ] {
        let source = Pretrained::open(fixture(name)).unwrap();
        let mut settings = ImageSettings::default();
        let model =
            Model::pretrained(&source, &mut settings, |_, _| unreachable!(), Device::Cpu).unwrap();
        let place = folder.path().join(name);
        let written = export::hugging_face(&model, &settings, &place);
        if name == "tiny-timm-qk-norm" {
            // transformers' ViT has no norms of queries and keys.
            assert!(written.is_err());
            continue;
        }
        written.unwrap();
        let again = Pretrained::open(&place).unwrap();
        assert_eq!(again.config().trunk, source.config().trunk, "{name}");
        let again =
            Model::pretrained(&again, &mut settings, |_, _| unreachable!(), Device::Cpu).unwrap();
        let expected = Checkpoint::open(fixture(name).join("expected.safetensors")).unwrap();
        let batch = Batch { x: expected.tensor("pixels").unwrap(), attention_mask: None };
        let logits = |model: &Model| model.classifier().forward(&batch, false);
        assert_eq!(logits(&again), logits(&model), "{name}");
    }
}

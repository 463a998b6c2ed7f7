//! Weights by other names than their publisher's, and weights that stand for others.

use std::path::{Path, PathBuf};

use safetensors::Dtype;

use crate::support::{Ran, crosstune, root, tiny_bert, words};
use crate::weights::{Tensors, changed, read};

/// A short training on a changed copy of a tiny BERT, to a folder beside it.
fn trained(copy: &Path, more: &[&str]) -> (Ran, PathBuf) {
    let out = copy.with_extension("run");
    let data = root().join("crates/text/samples/digits");
    let words = words!["train", "--weights", copy, "--data", data, "--out", out];
    let short = ["--epochs", "1", "--limit-per-class", "4", "--overwrite"];
    let more = short.iter().chain(more).map(Into::into);
    (crosstune("text", &words.into_iter().chain(more).collect::<Vec<_>>()), out)
}

/// All tensors by other names.
fn renamed(tensors: &mut Tensors, name: impl Fn(&str) -> String) {
    let all = std::mem::take(tensors).into_iter();
    tensors.extend(all.map(|(old, tensor)| (name(&old), tensor)));
}

#[test]
fn wrappers_and_what_belongs_to_no_module_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let plain = changed(&tiny_bert(), folder.path().join("plain"), |_| ());
    let wrapped = changed(&tiny_bert(), folder.path().join("wrapped"), |tensors| {
        renamed(tensors, |name| {
            let name = name.replace("layer.0.", "layer.0._checkpoint_wrapped_module._orig_mod.");
            let name = name.replace("LayerNorm.weight", "LayerNorm.gamma");
            format!("module.backbone.{}", name.replace("LayerNorm.bias", "LayerNorm.beta"))
        });
        let counts = ["n_averaged", "module.backbone.embeddings.position_ids", "module.steps"];
        for name in counts {
            tensors.insert(name.into(), (Dtype::I64, vec![2], vec![0; 16]));
        }
        let odd = (Dtype::F64, vec![1], f64::NAN.to_le_bytes().to_vec());
        tensors.insert("module.backbone.encoder.total_ops".into(), odd);
    });
    let (ran, plain) = trained(&plain, &[]);
    ran.ok();
    let (ran, wrapped) = trained(&wrapped, &[]);
    let said = "names       the names begin with `module.backbone.`; they are read without \
                `_checkpoint_wrapped_module`, `_orig_mod`";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    ran.ok();
    let weights = |run: &Path| read(&run.join("model.safetensors"));
    assert!(weights(&plain) == weights(&wrapped));
    let result = std::fs::read_to_string(wrapped.join("result.json")).unwrap();
    assert!(result.contains("\"before\": \"module.backbone.\""), "{result}");
}

#[test]
fn a_key_chooses_of_raw_and_averaged_weights() {
    let folder = tempfile::tempdir().unwrap();
    let plain = changed(&tiny_bert(), folder.path().join("plain"), |_| ());
    let both = changed(&tiny_bert(), folder.path().join("both"), |tensors| {
        let averaged = tensors.clone().into_iter();
        let averaged: Vec<_> =
            averaged.map(|(n, t)| (format!("model_ema.module.{n}"), t)).collect();
        renamed(tensors, |name| format!("model.{name}"));
        for (_, _, bytes) in tensors.values_mut() {
            bytes.fill(0);
        }
        tensors.extend(averaged);
    });
    let weights = |(ran, run): (Ran, PathBuf)| {
        ran.ok();
        read(&run.join("model.safetensors"))
    };
    let want = weights(trained(&plain, &[]));
    let (ran, run) = trained(&both, &[]);
    let said =
        "of several copies `model.` is taken, not `model_ema.module.`; --weights-key chooses";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    assert!(weights((ran, run)) != want);
    assert!(weights(trained(&both, &["--weights-key", "model_ema"])) == want);
    assert!(weights(trained(&both, &["--weights-key", "model_ema.module"])) == want);
    let error = trained(&both, &["--weights-key", "ema"]).0.error(2);
    let said = "no tensor is below `ema`; there are `model` (";
    assert!(error.contains(said), "{error}");
}

#[test]
fn quantised_weights_are_named_with_what_to_do() {
    const LAYER: &str = "encoder.layer.0.attention.self.query";
    let folder = tempfile::tempdir().unwrap();
    let (f32s, bytes) = (|n| (Dtype::F32, vec![n], vec![0; 4 * n]), |n| vec![0_u8; n]);
    type Change<'c> = &'c dyn Fn(&mut Tensors);
    let with = |tensors: &mut Tensors, dtype: Dtype, shape: &[usize], beside: &str| {
        let size = dtype.bitsize() / 8 * shape.iter().product::<usize>();
        tensors.insert(format!("{LAYER}.weight"), (dtype, shape.to_vec(), bytes(size)));
        if !beside.is_empty() {
            tensors.insert(format!("{LAYER}.{beside}"), f32s(4));
        }
    };
    let cases: [(&str, Change<'_>, &str); 6] = [
        (
            "bnb8",
            &|t| with(t, Dtype::I8, &[32, 32], "SCB"),
            "integers: 8-bit integers of bitsandbytes",
        ),
        (
            "bnb4",
            &|t| with(t, Dtype::U8, &[512, 1], "weight.quant_map"),
            "4-bit numbers of bitsandbytes",
        ),
        (
            "f8",
            &|t| with(t, Dtype::F8_E4M3, &[32, 32], "weight_scale_inv"),
            "8-bit floats in blocks",
        ),
        ("i8", &|t| with(t, Dtype::I8, &[32, 32], ""), "holds integers"),
        (
            "gptq",
            &|t| {
                t.remove(&format!("{LAYER}.weight"));
                t.insert(format!("{LAYER}.qweight"), (Dtype::I32, vec![4, 32], bytes(512)));
            },
            "packed integers of GPTQ or AWQ",
        ),
        ("u16", &|t| with(t, Dtype::U16, &[32, 32], ""), "tensor of U16, which libtorch lacks"),
    ];
    for (name, change, says) in cases {
        let copy = changed(&tiny_bert(), folder.path().join(name), |tensors| change(tensors));
        let error = trained(&copy, &[]).0.error(1);
        assert!(error.contains(&format!("`{LAYER}.weight` holds ")), "{name}: {error}");
        assert!(error.contains(says) && error.lines().count() == 1, "{name}: {error}");
        assert_eq!(error.contains("dequantise"), !["i8", "u16"].contains(&name), "{error}");
    }
    // Floats of 8 bits that nothing scales are what they are.
    let copy = changed(&tiny_bert(), folder.path().join("f8-alone"), |tensors| {
        with(tensors, Dtype::F8_E5M2, &[32, 32], "");
    });
    trained(&copy, &[]).0.ok();
}

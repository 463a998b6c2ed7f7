//! Encoders with switches of their own: `text_encoders.py` made the files.

use std::fs;
use std::path::Path;

use crosstune_core::{Error, Fresh, Pretrained, Trunk, VarBuilder};
use serde_json::{Value, json};
use tch::{Device, nn::VarStore};

use crate::{check, check_folder, fixture};

#[test]
fn an_electra() {
    check("tiny-electra");
}

#[test]
fn an_mpnet() {
    check("tiny-mpnet");
}

#[test]
fn an_albert_of_two_repeated_blocks() {
    check("tiny-albert");
}

#[test]
fn a_deberta_v3() {
    check("tiny-deberta-v3");
}

#[test]
fn a_deberta_v2_with_a_convolution() {
    check("tiny-deberta-v2");
}

#[test]
fn a_modernbert() {
    check("tiny-modernbert");
}

#[test]
fn a_modernbert_with_biases_that_pools_the_mean() {
    check("tiny-modernbert-mean");
}

#[test]
fn a_nomic_bert() {
    check("tiny-nomic-bert");
}

#[test]
fn an_xlm_roberta() {
    check("tiny-xlm-roberta");
}

#[test]
fn a_camembert() {
    check("tiny-camembert");
}

#[test]
fn an_xlm_roberta_xl() {
    check("tiny-xlm-roberta-xl");
}

/// What becomes of a fixture whose `config.json` says something else, or nothing where it is null.
fn told<T>(name: &str, fields: Value, then: impl FnOnce(&Path) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    for file in ["model.safetensors", "expected.safetensors"] {
        fs::copy(fixture(name).join(file), folder.path().join(file)).unwrap();
    }
    let config = fs::read_to_string(fixture(name).join("config.json")).unwrap();
    let mut config: Value = serde_json::from_str(&config).unwrap();
    let config = config.as_object_mut().unwrap();
    for (field, value) in fields.as_object().unwrap() {
        config.insert(field.clone(), value.clone());
    }
    config.retain(|_, value| !value.is_null());
    fs::write(folder.path().join("config.json"), Value::from(config.clone()).to_string()).unwrap();
    then(folder.path())
}

#[test]
fn older_fields_say_the_same() {
    let modern = json!({
        "layer_types": null, "rope_parameters": null, "global_attn_every_n_layers": 2,
        "global_rope_theta": 500.0, "local_rope_theta": 20.0,
    });
    told("tiny-modernbert", modern, check_folder);
    // As the code that came with the first of them writes it.
    let nomic = json!({
        "hidden_size": null, "num_hidden_layers": null, "num_attention_heads": null,
        "intermediate_size": null, "max_position_embeddings": null, "layer_norm_eps": null,
        "hidden_act": null, "hidden_dropout_prob": null, "rope_parameters": null, "head_dim": null,
        "n_embd": 24, "n_layer": 2, "n_head": 3, "n_inner": 40, "n_positions": 18,
        "layer_norm_epsilon": 1e-12, "activation_function": "swiglu", "resid_pdrop": 0.0,
        "rotary_emb_base": 50, "rotary_emb_fraction": 1.0, "rotary_emb_interleaved": false,
        "prenorm": false, "causal": false, "qkv_proj_bias": false, "mlp_fc1_bias": false,
        "mlp_fc2_bias": false, "rotary_emb_scale_base": null, "vocab_size": 33,
        "pad_vocab_size_multiple": 8,
    });
    told("tiny-nomic-bert", nomic, check_folder);
    told("tiny-deberta-v3", json!({"pos_att_type": "p2c|c2p"}), check_folder);
}

#[test]
fn what_is_not_built_is_refused_by_its_field() {
    for (name, fields, said) in [
        ("tiny-albert", json!({"inner_group_num": 2}), "inner_group_num is 2, expected 1"),
        ("tiny-albert", json!({"num_hidden_groups": 3}), "3 distinct blocks do not divide"),
        ("tiny-mpnet", json!({"relative_attention_num_buckets": 16}), "num_buckets is 16"),
        ("tiny-deberta-v3", json!({"pos_att_type": ["c2p", "p2p"]}), "pos_att_type has \"p2p\""),
        ("tiny-deberta-v3", json!({"norm_rel_ebd": "batch"}), "norm_rel_ebd is \"batch\""),
        ("tiny-deberta-v3", json!({"position_buckets": 1}), "1 distances: must be at least 2"),
        ("tiny-deberta-v3", json!({"max_relative_positions": 3}), "must be above half of them"),
        (
            "tiny-deberta-v2",
            json!({"pooler_hidden_size": 8}),
            "pooler_hidden_size is 8, expected 16",
        ),
        ("tiny-deberta-v2", json!({"conv_kernel_size": 4}), "must be odd"),
        ("tiny-deberta-v2", json!({"conv_groups": 3}), "3 groups"),
        ("tiny-modernbert", json!({"local_attention": 0}), "local attention reaches 0"),
        ("tiny-modernbert", json!({"layer_types": ["full_attention"]}), "layer_types has 1"),
        ("tiny-modernbert", json!({"rope_scaling": {"factor": 2}}), "rope_scaling"),
        ("tiny-nomic-bert", json!({"moe_every_n_layers": 2}), "moe_every_n_layers is 2"),
        ("tiny-nomic-bert", json!({"prenorm": true}), "prenorm is true, expected false"),
        ("tiny-nomic-bert", json!({"rotary_emb_fraction": 0.0}), "rotary_emb_fraction is 0.0"),
    ] {
        let problem = told(name, fields, |folder| {
            let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
            let vb = VarBuilder::root(&store, &fresh);
            let opened = Pretrained::open(folder);
            let built = opened.and_then(|opened| Trunk::new(&vb, &opened.config().trunk));
            built.map(drop).map_err(|error: Error| error.to_string()).unwrap_err()
        });
        assert!(problem.contains(said), "{problem}");
    }
}

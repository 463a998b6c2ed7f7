//! Tests of the language.

use tch::{Device, Tensor};

use super::*;

const NAMES: [&str; 9] = [
    "embed.project.weight",
    "embed.norm.weight",
    "trunk.blocks.0.attn.q.weight",
    "trunk.blocks.0.norm1.bias",
    "trunk.blocks.1.mlp.up.weight",
    "trunk.blocks.1.mlp.up.bias",
    "trunk.norm.weight",
    "head.weight",
    "head.bias",
];

const FRESH: ModelOutline = ModelOutline { depth: 2, embedder: Origin::Fresh };

const OWN: ModelOutline = ModelOutline { depth: 2, embedder: Origin::Pretrained };

#[test]
fn each_set_freezes_its_names() {
    for (freeze, outline, trains) in [
        ("nothing", FRESH, "111111111"),
        ("none", FRESH, "111111111"),
        ("everything", FRESH, "000000000"),
        ("trunk", FRESH, "110000011"),
        ("trunk-but-norms", FRESH, "110100111"),
        ("trunk-but-norms-but-biases", FRESH, "110101111"),
        ("below:1", FRESH, "110011111"),
        ("below:1", OWN, "000011111"),
        ("below:2", OWN, "000000111"),
        ("below:0", FRESH, "111111111"),
        ("below:0", OWN, "001111111"),
        ("top:1", FRESH, "111100011"),
        ("not top:1", FRESH, "110011111"),
        ("not top:1", OWN, "000011111"),
        ("top:0", FRESH, "111111111"),
        ("embedder,trunk", OWN, "000000011"),
        ("embedder,trunk", FRESH, "000000011"),
        ("embedder, trunk-but-norms", OWN, "000100111"),
        ("head", FRESH, "111111100"),
        ("norms", FRESH, "111011011"),
        ("norms", OWN, "101011011"),
        ("not biases", OWN, "000101011"),
        ("not not biases", OWN, "111010111"),
        ("attention", OWN, "110111111"),
        ("mlp", OWN, "111100111"),
        ("trunk.blocks.*.mlp.*", OWN, "111100111"),
        ("*.weight", OWN, "000101001"),
        ("trunk-but-trunk.blocks.1.*", OWN, "110011011"),
    ] {
        let set: Freeze = freeze.parse().unwrap();
        let bits: String =
            NAMES.map(|n| if set.trains(n, outline) { '1' } else { '0' }).iter().collect();
        assert_eq!(bits, trains, "{freeze}");
    }
    assert!(!Freeze::nothing().trains("trunk.stages.0.0.norm1.running_mean", OWN));
}

#[test]
fn what_is_written_is_read_back() {
    for text in
        ["none", "trunk", "below:3", "embedder,trunk-but-norms", "not top:2", "*.attn.*,head"]
    {
        assert_eq!(text.parse::<Freeze>().unwrap().to_string(), text);
    }
    for wrong in
        ["", "all", "below:", "below:-1", "trunk,,head", "not", "trunk-but-", "top:x", "a b.c"]
    {
        let message = wrong.parse::<Freeze>().unwrap_err().to_string();
        assert!(message.starts_with("--freeze: "), "{wrong}: {message}");
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let check = |text: &str| text.parse::<Freeze>().unwrap().check(OWN);
    assert!(check("below:2,top:2").is_ok());
    for wrong in ["below:3", "not top:3", "trunk-but-below:3"] {
        assert!(check(wrong).unwrap_err().to_string().contains("the trunk's depth is 2"));
    }
    let store = VarStore::new(Device::Cpu);
    let _ = store.root().sub("head").add("weight", Tensor::from_slice(&[0f32; 3]), true);
    let apply = |text: &str| text.parse::<Freeze>().unwrap().apply(&store, OWN);
    assert_eq!(apply("head.*").unwrap(), (0, 3));
    assert_eq!(apply("trunk").unwrap(), (3, 0));
    let error = apply("head.wight").unwrap_err().to_string();
    assert!(error.contains("did you mean head.weight?"), "{error}");
}

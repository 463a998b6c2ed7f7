//! Which layers get adapters, what they compute and learn, and what cannot be adapted.

use tch::nn::VarStore;
use tch::{Device, Kind};

use super::*;
use crate::nn::features::Sequence;
use crate::nn::trunk::{Transformer, TransformerConfig};
use crate::weights::lora::{Adapting, is_adapter};
use crate::weights::{Fresh, Lora};

/// A transformer of two blocks with adapters where `targets` say, and its parameters.
fn built(dropout: f64, targets: &[&str]) -> Result<(VarStore, Transformer)> {
    let targets = targets.iter().map(ToString::to_string).collect();
    let lora = Lora { rank: 2, alpha: 6., dropout, targets };
    lora.check()?;
    tch::manual_seed(1);
    let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
    let adapting = Adapting::new(&lora);
    let transformer = {
        let vb = VarBuilder::root(&store, &fresh).sub("trunk").adapted(Some(&adapting));
        let config = TransformerConfig { heads: 4, mlp: 32, ..TransformerConfig::of(16, 2) };
        Transformer::new(&vb, config)?
    };
    adapting.check(store.variables().keys().map(String::as_str))?;
    Ok((store, transformer))
}

fn run(transformer: &Transformer, train: bool) -> Tensor {
    let x = Tensor::arange(80, (Kind::Float, Device::Cpu)).view([1, 5, 16]).sin();
    transformer.forward(&Sequence { x, attention_mask: None }, train).x
}

fn furthest(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

/// Gives every `B` a value, as training would.
fn learn(store: &VarStore) {
    for (name, mut value) in store.variables() {
        if name.ends_with(B) {
            tch::no_grad(|| drop(value.normal_(0., 0.3)));
        }
    }
}

#[test]
fn adapters_stand_beside_the_layers_that_are_named() {
    let (store, _) = built(0., &["*.attn.q", "trunk.blocks.1.mlp.up"]).unwrap();
    let mut shapes: Vec<_> = store
        .variables()
        .into_iter()
        .filter(|(name, _)| is_adapter(name))
        .map(|(name, value)| (name, value.size()))
        .collect();
    shapes.sort();
    let want = [
        ("trunk.blocks.0.attn.q.lora_a", [2, 16]),
        ("trunk.blocks.0.attn.q.lora_b", [16, 2]),
        ("trunk.blocks.1.attn.q.lora_a", [2, 16]),
        ("trunk.blocks.1.attn.q.lora_b", [16, 2]),
        ("trunk.blocks.1.mlp.up.lora_a", [2, 16]),
        ("trunk.blocks.1.mlp.up.lora_b", [32, 2]),
    ];
    assert_eq!(shapes, want.map(|(name, shape)| (name.to_string(), shape.to_vec())));
    let bound = store.variables()[want[0].0].abs().max().double_value(&[]);
    assert!((0.15..0.25).contains(&bound), "uniform within 1/√16: {bound}");
}

#[test]
fn the_start_is_the_base_and_the_product_can_be_merged() {
    let (store, adapted) = built(0., &["*"]).unwrap();
    // The same seed does not draw the same base where adapters draw, too: the values are copied.
    let (plain_store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
    let config = TransformerConfig { heads: 4, mlp: 32, ..TransformerConfig::of(16, 2) };
    let plain =
        Transformer::new(&VarBuilder::root(&plain_store, &fresh).sub("trunk"), config).unwrap();
    let merge = || {
        let ours = store.variables();
        tch::no_grad(|| {
            for (name, mut value) in plain_store.variables() {
                value.copy_(&ours[&name]);
                let layer = name.strip_suffix(".weight").unwrap_or(&name);
                if let Some(a) = ours.get(&format!("{layer}.{A}")).filter(|_| layer != name) {
                    value += ours[&format!("{layer}.{B}")].matmul(a) * 3.;
                }
            }
        });
    };
    merge();
    let start = run(&adapted, false);
    assert_eq!(start, run(&plain, false), "B is zero");
    learn(&store);
    merge();
    let learned = run(&adapted, false);
    assert!(furthest(&learned, &start) > 0.1, "the adapters do something");
    let difference = furthest(&learned, &run(&plain, false));
    assert!(difference < 1e-6 * learned.abs().max().double_value(&[]).max(1.), "{difference}");
}

#[test]
fn only_adapters_get_gradients_where_the_base_is_frozen() {
    let (store, transformer) = built(0., &["*.attn.q", "*.attn.v"]).unwrap();
    learn(&store);
    for (name, value) in store.variables() {
        let _ = value.set_requires_grad(is_adapter(&name));
    }
    run(&transformer, true).square().sum(Kind::Float).backward();
    for (name, value) in store.variables() {
        let moved = value.grad().defined() && value.grad().abs().max().double_value(&[]) > 0.;
        assert_eq!(moved, is_adapter(&name), "{name}");
    }
}

#[test]
fn an_adapters_inputs_are_dropped_in_training_alone() {
    let (store, transformer) = built(0.5, &["*"]).unwrap();
    assert_eq!(run(&transformer, true), run(&transformer, false), "nothing is learned yet");
    learn(&store);
    assert_eq!(run(&transformer, false), run(&transformer, false));
    assert!(furthest(&run(&transformer, true), &run(&transformer, true)) > 0.01);
}

#[test]
fn what_cannot_be_adapted_is_named() {
    let error = |targets: &[&str]| built(0., targets).unwrap_err().to_string();
    assert_eq!(
        error(&["*.attn.q", "*.query"]),
        "--lora-targets: *.query matches no layer; there are trunk.blocks.*.attn.k, \
         trunk.blocks.*.attn.out, trunk.blocks.*.attn.q, trunk.blocks.*.attn.v, \
         trunk.blocks.*.mlp.down, trunk.blocks.*.mlp.up"
    );
    assert_eq!(
        error(&["trunk.norm"]),
        "--lora-targets: trunk.norm matches trunk.norm, which is not a linear layer"
    );
    assert!(error(&[]).contains("no layer is named"));
    for (lora, said) in [
        (Lora { rank: 0, ..Lora::default() }, "--lora-rank: 0: must be at least 1"),
        (Lora { alpha: 0., ..Lora::default() }, "--lora-alpha: 0: must be above 0"),
        (
            Lora { dropout: 1., ..Lora::default() },
            "--lora-dropout: 1: must be at least 0 and below 1",
        ),
    ] {
        let error = lora.check().unwrap_err().to_string();
        assert!(error.starts_with(said), "{error}");
    }
}

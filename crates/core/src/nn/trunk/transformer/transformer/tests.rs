//! What a position attends to, that padding changes nothing, and what cannot be built.

use std::collections::BTreeMap;

use tch::nn::VarStore;
use tch::{Device, Kind};

use super::*;
use crate::nn::position::{PositionConfig, RotaryConfig};
use crate::nn::trunk::transformer::LocalAttention;
use crate::random::holds_undisturbed;
use crate::weights::Fresh;

fn config(norm_placement: NormPlacement, attention: AttentionKind) -> TransformerConfig {
    let usual = TransformerConfig::of(16, 2);
    TransformerConfig { heads: 4, mlp: 32, norm_placement, attention, ..usual }
}

/// Which of 5 positions of the output change when the input changes from position 3 on.
fn changed(norm: NormPlacement, attention: AttentionKind, mask: Option<&Tensor>) -> Vec<bool> {
    tch::manual_seed(1);
    let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
    let root = VarBuilder::root(&store, &fresh);
    let transformer = Transformer::new(&root, config(norm, attention)).unwrap();
    let run = |x: &Tensor| {
        let mask = mask.map(Tensor::shallow_clone);
        transformer.forward(&Sequence { x: x.shallow_clone(), attention_mask: mask }, false).x
    };
    let x = Tensor::randn([1, 5, 16], (Kind::Float, Device::Cpu));
    let later = Tensor::cat(&[x.narrow(1, 0, 3), x.narrow(1, 3, 2) * 2.], 1);
    let difference = (run(&x) - run(&later)).abs().amax([0, 2].as_slice(), false);
    Vec::<f32>::try_from(difference).unwrap().iter().map(|&d| d > 1e-6).collect()
}

#[test]
fn a_position_attends_to_what_it_may() {
    let mask = Tensor::from_slice(&[true, true, true, false, false]).view([1, 5]);
    for norm in [NormPlacement::Pre, NormPlacement::Post] {
        assert_eq!(changed(norm, AttentionKind::Bidirectional, None), [true; 5]);
        let before = [false, false, false, true, true];
        assert_eq!(changed(norm, AttentionKind::Causal, None), before);
        // Padding attends to itself, and nothing attends to it.
        assert_eq!(changed(norm, AttentionKind::Bidirectional, Some(&mask))[..3], before[..3]);
        assert_eq!(changed(norm, AttentionKind::Causal, Some(&mask))[..3], before[..3]);
    }
}

/// Sequences of 9 positions, of which some hold no data, and what the data become, with the gradients
/// of the data and of all parameters: packed, and padded.
fn both_ways(config: &TransformerConfig) -> [Vec<Tensor>; 2] {
    tch::manual_seed(1);
    let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
    let root = VarBuilder::root(&store, &fresh);
    let transformer = Transformer::new(&root, config.clone()).unwrap();
    let numbers = Tensor::arange(9, (Kind::Int64, Device::Cpu));
    let mask = Tensor::stack(&[numbers.lt(4), numbers.ge(2), numbers.lt(9)], 0);
    let x = Tensor::randn([3, 9, 16], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let sequence = Sequence { x: x.shallow_clone(), attention_mask: Some(mask.copy()) };
    assert!(transformer.packing(&sequence, &(0..1), false).is_some());
    let leaves: BTreeMap<_, _> = store.variables().into_iter().collect();
    let of: Vec<&Tensor> = leaves.values().chain([&x]).collect();
    let weight = x.randn_like();
    let padded = transformer.forward_each(&sequence, 0..usize::MAX, false, &mut |_| ());
    [transformer.forward(&sequence, false), padded].map(|y| {
        let y = y.x * mask.unsqueeze(2);
        let sum = (&y * &weight).sum(Kind::Float);
        let mut all = Tensor::run_backward(&[sum], &of, false, false);
        all.push(y);
        all
    })
}

#[test]
fn padding_is_left_out_and_changes_nothing() {
    let [post, pre] = [NormPlacement::Post, NormPlacement::Pre]
        .map(|norm| config(norm, AttentionKind::Bidirectional));
    let causal = config(NormPlacement::Pre, AttentionKind::Causal);
    let rotary = PositionConfig::Rotary(RotaryConfig::of(100.));
    let inputs = PositionConfig::RotaryInputs(RotaryConfig::of(100.));
    let local = LocalAttention { reach: 1, blocks: vec![1], base: Some(7.) };
    let rotated = TransformerConfig { positions: rotary, ..post.clone() };
    for config in [
        TransformerConfig { positions: inputs, ..pre.clone() },
        TransformerConfig { local: Some(local.clone()), ..rotated.clone() },
        TransformerConfig { local: Some(local), positions: rotary, ..causal.clone() },
        post,
        pre,
        causal,
        rotated,
    ] {
        let [packed, padded] = both_ways(&config);
        for (packed, padded) in packed.iter().zip(padded) {
            assert!(packed.allclose(&padded, 1e-4, 1e-5, false), "{config:?}");
        }
    }
}

#[test]
fn blocks_that_are_computed_again_have_the_same_gradients() {
    let config = TransformerConfig {
        dropout: 0.3,
        ..config(NormPlacement::Post, AttentionKind::Bidirectional)
    };
    tch::manual_seed(1);
    let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
    let transformer = Transformer::new(&VarBuilder::root(&store, &fresh), config).unwrap();
    let leaves: BTreeMap<_, _> = store.variables().into_iter().collect();
    let x = Tensor::randn([2, 5, 16], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let gradients = || {
        tch::manual_seed(2);
        let sequence = Sequence { x: x.shallow_clone(), attention_mask: None };
        let y = transformer.forward(&sequence, true).x;
        let of: Vec<&Tensor> = leaves.values().chain([&x]).collect();
        Tensor::run_backward(&[y.square().sum(Kind::Float)], &of, false, false)
    };
    assert!(holds_undisturbed(|| {
        transformer.recomputes.set(false);
        let kept = gradients();
        assert!(transformer.recompute_activations());
        gradients().iter().zip(&kept).all(|(again, kept)| again.equal(kept))
    }));
}

#[test]
fn a_contradiction_is_named() {
    let good = config(NormPlacement::Post, AttentionKind::Bidirectional);
    for (bad, said) in [
        (TransformerConfig { heads: 3, ..good.clone() }, "3 heads do not divide the width 16"),
        (TransformerConfig { depth: 0, ..good.clone() }, "at least 1"),
        (
            TransformerConfig { dropout: 1., ..good.clone() },
            "dropout 1: must be at least 0 and below 1",
        ),
        (TransformerConfig { eps: 0., ..good }, "eps 0: must be above 0"),
    ] {
        let (store, fresh) = (VarStore::new(Device::Cpu), Fresh::default());
        let error = Transformer::new(&VarBuilder::root(&store, &fresh), bad).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

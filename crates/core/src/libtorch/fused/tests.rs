//! Tests of the fused operations, against libtorch's own.

use tch::{Device, Kind, Tensor};

use super::*;
use crate::random::holds_undisturbed;

const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

/// The largest difference, in proportion to the largest value.
fn off(ours: &Tensor, theirs: &Tensor) -> f64 {
    assert_eq!(ours.size(), theirs.size());
    let (ours, theirs) = (ours.to_kind(Kind::Double), theirs.to_kind(Kind::Double));
    ((ours - &theirs).abs().max() / theirs.abs().max().clamp_min(1e-30)).double_value(&[])
}

/// The gradients of the sum of `y · weight`.
fn gradients(y: &Tensor, weight: &Tensor, of: &[&Tensor]) -> Vec<Tensor> {
    Tensor::run_backward(&[(y * weight).sum(Kind::Float)], of, false, false)
}

fn leaf(shape: &[i64]) -> Tensor {
    Tensor::randn(shape, CPU).set_requires_grad(true)
}

#[test]
fn a_product_and_its_gradients_are_libtorchs() {
    tch::manual_seed(1);
    for (x, d_in, d_out) in [(vec![3, 7, 20], 20, 33), (vec![5, 1], 1, 1), (vec![70, 48], 48, 130)]
    {
        let (x, w, b) = (leaf(&x), leaf(&[d_out, d_in]), leaf(&[d_out]));
        for bias in [None, Some(&b)] {
            let (ours, theirs) = (linear(&x, &w, bias), x.linear(&w, bias));
            assert!(off(&ours, &theirs) < 1e-6);
            let weight = theirs.randn_like();
            let of: Vec<&Tensor> = [&x, &w].into_iter().chain(bias).collect();
            let (ours, theirs) = (gradients(&ours, &weight, &of), gradients(&theirs, &weight, &of));
            for (ours, theirs) in ours.iter().zip(&theirs) {
                assert!(off(ours, theirs) < 1e-6);
            }
        }
        // A frozen weight hands the gradient on.
        let (ours, theirs) =
            (linear(&x, &w.detach(), None), x.linear(&w.detach(), None::<&Tensor>));
        let [ours, theirs] = [ours, theirs].map(|y| gradients(&y, &y.ones_like(), &[&x]).remove(0));
        assert!(off(&ours, &theirs) < 1e-6);
    }
    assert_eq!(linear(&leaf(&[0, 4]), &leaf(&[3, 4]), None).size(), [0, 3]);
}

#[test]
fn attention_and_its_gradients_are_libtorchs() {
    tch::manual_seed(1);
    for (t, n, w, causal) in
        [(5, 5, 4, false), (44, 44, 32, true), (70, 33, 24, false), (1, 1, 1, true)]
    {
        // As they come from the layers that make them.
        let heads = |t| leaf(&[2, t, 3, w]);
        let leaves = [heads(t), heads(n), heads(n)];
        let [q, k, v] = leaves.each_ref().map(|x| x.transpose(1, 2));
        let first = Tensor::arange(n, (Kind::Int64, Device::Cpu)).lt((n + 1) / 2);
        let padding = Tensor::stack(&[first.ones_like(), first], 0).view([2, 1, 1, n]);
        let any = Tensor::rand([2, 3, t, n], CPU)
            .lt(0.5)
            .logical_or(&Tensor::eye_m(t, n, CPU).to_kind(Kind::Bool));
        let any = any.logical_or(&Tensor::arange(n, (Kind::Int64, Device::Cpu)).eq(0));
        for mask in [None, Some(&padding), Some(&any)] {
            if causal && mask.is_some() {
                continue;
            }
            let ours = attention(
                AttentionInputs { q: &q, k: &k, v: &v, mask, cu_seqlens: None, causal, scale: 0.3 },
                0.,
            );
            let theirs =
                Tensor::scaled_dot_product_attention(&q, &k, &v, mask, 0., causal, 0.3, false);
            assert!(off(&ours, &theirs) < 2e-6, "{}", off(&ours, &theirs));
            let weight = theirs.randn_like();
            let of = leaves.each_ref();
            let (ours, theirs) = (gradients(&ours, &weight, &of), gradients(&theirs, &weight, &of));
            for (ours, theirs) in ours.iter().zip(&theirs) {
                assert!(off(ours, theirs) < 3e-6, "{}", off(ours, theirs));
            }
            let half = |x: &Tensor| x.to_kind(Kind::BFloat16);
            let (q, k, v) = (half(&q), half(&k), half(&v));
            let in_bf16 = attention(
                AttentionInputs { q: &q, k: &k, v: &v, mask, cu_seqlens: None, causal, scale: 0.3 },
                0.,
            );
            let exact = attention(
                AttentionInputs {
                    q: &q.to_kind(Kind::Float),
                    k: &k.to_kind(Kind::Float),
                    v: &v.to_kind(Kind::Float),
                    mask,
                    cu_seqlens: None,
                    causal,
                    scale: 0.3,
                },
                0.,
            );
            assert!(off(&in_bf16, &exact) < 5e-3);
        }
    }
}

#[test]
fn attention_drops_the_same_in_its_backward_pass() {
    tch::manual_seed(1);
    let (t, w, p) = (40, 8, 0.3);
    let [q, k] = [(); 2].map(|()| leaf(&[2, 2, t, w]));
    // Of such values, the output is the weights themselves.
    let v = Tensor::eye(t, CPU).expand([2, 2, t, t], true).contiguous().narrow(3, 0, w);
    let of = |q, k, v| AttentionInputs {
        q,
        k,
        v,
        mask: None,
        cu_seqlens: None,
        causal: false,
        scale: 0.5,
    };
    let weights = (&q * 0.5).matmul(&k.transpose(-2, -1)).softmax(-1, Kind::Float);
    let ours = attention(of(&q, &k, &v.contiguous()), p);
    let kept = (&ours / weights.narrow(3, 0, w)).detach();
    let dropped = kept.lt(0.5).to_kind(Kind::Float).mean(Kind::Float).double_value(&[]);
    assert!((dropped - p).abs() < 0.05, "{dropped}");
    let theirs = weights.narrow(3, 0, w) * &kept;
    let by = theirs.randn_like();
    let (ours, theirs) = (gradients(&ours, &by, &[&q, &k]), gradients(&theirs, &by, &[&q, &k]));
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert!(off(ours, theirs) < 1e-5, "{}", off(ours, theirs));
    }
}

#[test]
fn packed_sequences_attend_to_themselves() {
    tch::manual_seed(1);
    // One of them is empty.
    let bounds = [0, 3, 3, 43, 50];
    let leaves = [(); 3].map(|()| leaf(&[1, 50, 2, 20]));
    let [q, k, v] = leaves.each_ref().map(|x| x.transpose(1, 2));
    let ends = Tensor::from_slice(&bounds);
    let near = Tensor::ones([40, 40], (Kind::Bool, Device::Cpu)).tril(2).triu(-2);
    for (mask, causal) in [(None, false), (None, true), (Some(&near), false)] {
        let of = |[q, k, v]: [&Tensor; 3], mask: Option<&Tensor>, cu_seqlens: Option<&Tensor>| {
            attention(AttentionInputs { q, k, v, mask, cu_seqlens, causal, scale: 0.3 }, 0.)
        };
        let ours = of([&q, &k, &v], mask, Some(&ends));
        let each = bounds.windows(2).filter(|pair| pair[0] < pair[1]).map(|pair| {
            let length = pair[1] - pair[0];
            let [q, k, v] = [&q, &k, &v].map(|x| x.narrow(2, pair[0], length));
            let mask = mask.map(|mask| mask.narrow(0, 0, length).narrow(1, 0, length));
            of([&q, &k, &v], mask.as_ref(), None)
        });
        let theirs = Tensor::cat(&each.collect::<Vec<_>>(), 2);
        assert!(off(&ours, &theirs) < 1e-6);
        let (weight, of) = (theirs.randn_like(), leaves.each_ref());
        let (ours, theirs) = (gradients(&ours, &weight, &of), gradients(&theirs, &weight, &of));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert!(off(ours, theirs) < 1e-6, "{}", off(ours, theirs));
        }
        // What is dropped is the same in the backward pass, and not the same in any two sequences.
        let same = |x: &Tensor| x.ones_like();
        let of = AttentionInputs {
            q: &same(&q),
            k: &same(&k),
            v: &same(&v).set_requires_grad(true),
            mask,
            cu_seqlens: Some(&ends),
            causal,
            scale: 0.3,
        };
        let dropped = attention(of, 0.5);
        let gradient = gradients(&dropped, &dropped.ones_like(), &[of.v]).remove(0);
        let sums = |x: &Tensor| x.select(3, 0).sum(Kind::Double).double_value(&[]);
        assert!((sums(&dropped) - sums(&gradient)).abs() < 1e-3);
        assert!(!dropped.narrow(2, 3, 7).equal(&dropped.narrow(2, 43, 7)));
    }
}

#[test]
fn where_nothing_is_attended_to_all_is() {
    let x = Tensor::ones([1, 1, 2, 4], CPU).set_requires_grad(true);
    let nowhere = Tensor::zeros([1, 1, 1, 2], (Kind::Bool, Device::Cpu));
    let of = AttentionInputs {
        q: &x,
        k: &x,
        v: &x,
        mask: Some(&nowhere),
        cu_seqlens: None,
        causal: false,
        scale: 0.5,
    };
    let y = attention(of, 0.);
    assert!(off(&y, &x) < 1e-6);
    assert!(off(&gradients(&y, &y.ones_like(), &[&x])[0], &x) < 1e-6);
}

#[test]
fn dropout_adds_in_the_same_pass() {
    tch::manual_seed(1);
    for kind in [Kind::Float, Kind::BFloat16] {
        let x = Tensor::randn([100, 101], CPU).to_kind(kind).set_requires_grad(true);
        let add = x.randn_like().set_requires_grad(true);
        let y = dropout(&x, Some(&add), 0.25);
        let noise = gradients(&y, &y.ones_like(), &[&x, &add]);
        assert!(noise[1].equal(&y.ones_like()));
        // What is added was not rounded on the way, and the factor is.
        let exact = |t: &Tensor| t.to_kind(Kind::Float);
        let want = exact(&add) + exact(&x) * exact(&noise[0]);
        let within = if kind == Kind::Float { 1e-5 } else { 0.04 };
        assert!(off(&exact(&y), &want) < within);
        let dropped = noise[0].eq(0.).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
        assert!((dropped - 0.25).abs() < 0.03);
    }
}

#[test]
fn what_is_computed_again_has_the_same_gradients() {
    let (x, w) = (leaf(&[3, 8]), leaf(&[8, 8]));
    let part = |x: &Tensor, w: &Tensor, other: &Tensor| {
        dropout(&linear(x, w, None), None, 0.5).matmul(other).tanh() + x
    };
    // Parts with parameters of their own, and parts that share what was made of one before.
    for (shares, within) in [(false, 0.), (true, 1e-6)] {
        let twice = |again: bool| {
            tch::manual_seed(1);
            let other = if shares { (&w * 2.).tanh() } else { w.detach() };
            let step = |x: &Tensor| {
                let (w, other) = (w.shallow_clone(), other.shallow_clone());
                match again {
                    true => recompute(x, move |x| part(x, &w, &other)),
                    false => part(x, &w, &other),
                }
            };
            let y = step(&step(&x));
            let after = Tensor::rand([1], CPU);
            let mut found = gradients(&y, &y.ones_like(), &[&x, &w]);
            found.extend([after, y]);
            found
        };
        assert!(holds_undisturbed(|| {
            let (kept, again) = (twice(false), twice(true));
            kept.iter().zip(&again).all(|(kept, again)| off(again, kept) <= within)
        }));
    }
    assert!(!tch::no_grad(|| recompute(&x, Tensor::tanh)).requires_grad());
}

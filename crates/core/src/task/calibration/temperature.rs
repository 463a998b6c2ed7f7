//! Temperature scaling: the one number that logits are divided by (Guo et al. 2017, §4.2).

use tch::{Kind, Tensor};

/// The least and the greatest temperature that is looked at.
const RANGE: [f64; 2] = [0.05, 20.];

/// How exactly the inverse temperature is found, relative to itself.
const EXACT: f64 = 1e-12;

/// The normal distribution's quantile of an interval of 95 %.
const Z: f64 = 1.96;

/// The most steps of the search. Each at least halves what is left between its ends.
const STEPS: usize = 200;

/// A temperature, as samples tell it.
pub(super) struct Fitted {
    /// That of the least negative log likelihood.
    pub(super) temperature: f64,
    /// Where it lies with 95 %, within what is looked at: the likelihood's curvature tells how narrow
    /// (Wald's interval of its logarithm). `None` at the end of what is looked at.
    pub(super) interval: Option<[f64; 2]>,
}

/// The temperature of the least negative log likelihood of classes: scores `[N, classes]`, f64, which
/// are logits or differ from them by a number for each sample, and the classes, `[N]`.
pub(super) fn of_classes(scores: &Tensor, classes: &Tensor) -> Option<Fitted> {
    let own = scores.gather(1, &classes.unsqueeze(-1), false).mean(Kind::Double).double_value(&[]);
    // d/dβ of log Σ exp(β z) − β z_own: the expectation of z, less z_own; and its variance.
    search(classes.numel(), |beta| {
        let p = (scores * beta).softmax(-1, Kind::Double);
        let mean = (&p * scores).sum_dim_intlist([-1].as_slice(), true, Kind::Double);
        let off = scores - &mean;
        let variance = (&p * &off * &off).sum_dim_intlist([-1].as_slice(), false, Kind::Double);
        let slope = mean.mean(Kind::Double).double_value(&[]) - own;
        (slope, variance.mean(Kind::Double).double_value(&[]))
    })
}

/// The same of labels: log odds `[N, labels]`, f64, and whether each applies, 1 or 0. One temperature
/// serves all of them.
pub(super) fn of_labels(log_odds: &Tensor, truth: &Tensor) -> Option<Fitted> {
    let truth = truth.to_kind(Kind::Double);
    search(truth.numel(), |beta| {
        let p = (log_odds * beta).sigmoid();
        let slope = ((&p - &truth) * log_odds).mean(Kind::Double).double_value(&[]);
        let bend = ((&p - &p * &p) * log_odds * log_odds).mean(Kind::Double).double_value(&[]);
        (slope, bend)
    })
}

/// Where the mean of `count` convex functions of the inverse temperature is least, given its slope and
/// curvature: Newton's steps between two ends that close in, in f64. `None`: it still falls at the lowest
/// temperature, as it does where all answers are right. At the other end the model knows less than
/// nothing, and the highest temperature is taken.
fn search(count: usize, of: impl Fn(f64) -> (f64, f64)) -> Option<Fitted> {
    let [mut low, mut high] = [1. / RANGE[1], 1. / RANGE[0]];
    if of(high).0 <= 0. {
        return None;
    }
    if of(low).0 >= 0. {
        return Some(Fitted { temperature: RANGE[1], interval: None });
    }
    let mut beta = 1.;
    for _ in 0..STEPS {
        let (slope, bend) = of(beta);
        if slope > 0. {
            high = beta
        } else {
            low = beta
        }
        let newton = beta - slope / bend;
        let next = if newton > low && newton < high { newton } else { (low + high) / 2. };
        if (next - beta).abs() <= EXACT * beta {
            break;
        }
        beta = next;
    }
    let error = 1. / (count as f64 * of(beta).1).sqrt() / beta;
    // Of scores that are nearly all the same, the curvature tells next to nothing.
    let bound = |side: f64| ((side * Z * error).exp() / beta).clamp(RANGE[0], RANGE[1]);
    let interval = [-1., 1.].map(bound);
    Some(Fitted { temperature: 1. / beta, interval: Some(interval) })
}

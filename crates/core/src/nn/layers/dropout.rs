//! Dropout (Srivastava et al. 2014).

use tch::{Device, Kind, Tensor};

use crate::libtorch::fused;

/// In training, `x` with each element zeroed with probability `p` and the others divided by
/// `1 - p`; else `x`. Seeded by libtorch's generator.
///
/// On a CPU, libtorch draws 64 random bits for each element, in one thread (except on Intel's): an
/// eighth of a step of BERT. Here 16 bits decide, which are a function of a seed and the element's
/// place: nothing is kept for the backward pass, and all threads work. `p` is exact to 1/131072.
pub fn dropout(x: &Tensor, p: f64, train: bool) -> Tensor {
    match (train && p > 0., fused::has_kernels_for(x)) {
        (false, _) => x.shallow_clone(),
        (true, true) => fused::dropout(x, None, p),
        (true, false) => x.dropout(p, true),
    }
}

/// `x` plus what [`dropout`] leaves of `y`, of the same shape.
pub(crate) fn add_dropout(x: &Tensor, y: &Tensor, p: f64, train: bool) -> Tensor {
    if train && p > 0. && fused::has_kernels_for(y) && x.kind() == y.kind() && x.size() == y.size()
    {
        return fused::dropout(y, Some(x), p);
    }
    x + dropout(y, p, train)
}

/// In training, whole samples of a residual branch `[B, …]` zeroed with probability `p` and the
/// others divided by `1 - p` (stochastic depth, Huang et al. 2016); else the branch as it is.
pub(crate) fn drop_path(x: Tensor, p: f64, train: bool) -> Tensor {
    if !train || p <= 0. {
        return x;
    }
    let shape: Vec<i64> = (0..x.dim()).map(|i| if i == 0 { x.size()[0] } else { 1 }).collect();
    let kept = dropout(&Tensor::ones(shape, (Kind::Float, Device::Cpu)), p, true);
    let kept = kept.to_device(x.device()).to_kind(x.kind());
    x * kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_dropped_and_the_mean_stays() {
        tch::manual_seed(1);
        let x = Tensor::ones([1_000, 1_001], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        for p in [0.1, 0.5, 0.9] {
            let y = dropout(&x, p, true);
            let dropped = y.eq(0.).to_kind(Kind::Double).mean(Kind::Double).double_value(&[]);
            // At most ten standard deviations of the fraction of a million draws.
            assert!((dropped - p).abs() < 0.005, "{dropped} of {p}");
            assert!((y.max().double_value(&[]) - 1. / (1. - p)).abs() < 1e-3);
            let neighbours = y.eq(0.).to_kind(Kind::Double);
            let both = neighbours.narrow(1, 0, 1_000) * neighbours.narrow(1, 1, 1_000);
            let both = both.mean(Kind::Double).double_value(&[]);
            assert!((both - p * p).abs() < 0.005, "neighbours go together: {both}");
            // What was dropped gets no gradient, and what was kept one with its scale.
            let gradient = Tensor::run_backward(&[y.sum(Kind::Float)], &[&x], false, false);
            assert!(gradient[0].equal(&y));
        }
    }

    #[test]
    fn libtorch_seeds_it() {
        let x = Tensor::ones([100], (Kind::Float, Device::Cpu));
        let drawn = |seed| {
            tch::manual_seed(seed);
            [dropout(&x, 0.5, true), dropout(&x, 0.5, true)]
        };
        let [first, second] = drawn(1);
        assert!(!first.equal(&second));
        assert!(drawn(1)[1].equal(&second) && !drawn(2)[0].equal(&first));
    }

    #[test]
    fn prediction_drops_nothing_and_nothing_is_left_alone() {
        let x = Tensor::ones([100], (Kind::Float, Device::Cpu));
        assert!(dropout(&x, 0.5, false).equal(&x));
        assert!(dropout(&x, 0., true).equal(&x));
        assert_eq!(dropout(&x.narrow(0, 0, 0), 0.5, true).size(), [0]);
        assert_eq!(dropout(&x, 0.999_999_9, true).size(), [100]);
    }
}

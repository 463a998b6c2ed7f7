//! Multinomial logistic regression on features.

use tch::{Kind, Tensor};

use super::lbfgs::{Stop, minimise};

/// One where a sample is of a class, else zero: `[N, classes]`, f64.
pub(super) fn one_hot(targets: &[i64], classes: usize) -> Tensor {
    Tensor::from_slice(targets).one_hot(classes as i64).to_kind(Kind::Double)
}

/// A linear classifier on standardised features: weights `[D, classes]` and a bias for each class.
#[derive(Debug)]
pub struct Logistic {
    /// Weights, and the biases as the last row: `[D + 1, classes]`, f64.
    weights: Tensor,
    mean: Tensor,
    std: Tensor,
}

impl Logistic {
    /// Minimises the mean cross-entropy plus `l2 / 2` times the sum of squared weights (not
    /// biases), on features `[N, D]`, f64, which are first standardised. In scikit-learn's terms,
    /// `C` is `1 / (N · l2)`. `from` is the starting point: a classifier of the same features at
    /// another `l2`.
    pub fn fit(
        features: &Tensor,
        targets: &[i64],
        classes: usize,
        l2: f64,
        from: Option<&Self>,
    ) -> Self {
        Self::fit_until(Stop { gradient: 1e-6, steps: 1000 }, features, targets, classes, l2, from)
    }

    /// The same with a stopping criterion.
    pub(super) fn fit_until(
        stop: Stop,
        features: &Tensor,
        targets: &[i64],
        classes: usize,
        l2: f64,
        from: Option<&Self>,
    ) -> Self {
        let mean = features.mean_dim([0].as_slice(), true, None);
        let std = features.std_dim([0].as_slice(), false, true);
        // A constant feature says nothing and stays 0.
        let std = std.where_self(&std.gt(0.), &std.ones_like());
        let x = with_offset(&((features - &mean) / &std));
        let labels = one_hot(targets, classes);
        let (samples, width) = (targets.len().max(1) as f64, features.size()[1]);
        let start = match from {
            Some(from) => from.weights.copy(),
            None => Tensor::zeros([width + 1, classes as i64], (Kind::Double, x.device())),
        };
        let transposed = x.tr();
        let weights = minimise(start, stop, |w| {
            let scores = x.matmul(w).log_softmax(-1, Kind::Double);
            let mut shrinking = w.copy();
            let _ = shrinking.get(width).zero_();
            let loss = -(&scores * &labels).sum(Kind::Double).double_value(&[]) / samples
                + l2 / 2. * shrinking.square().sum(Kind::Double).double_value(&[]);
            let gradient = transposed.matmul(&(scores.exp() - &labels)) / samples;
            shrinking *= l2;
            (loss, gradient + shrinking)
        });
        Self { weights, mean, std }
    }

    /// The log-probabilities of all classes, `[N, classes]`, of features `[N, D]`.
    pub fn scores(&self, features: &Tensor) -> Tensor {
        let x = with_offset(&((features - &self.mean) / &self.std));
        x.matmul(&self.weights).log_softmax(-1, Kind::Double)
    }

    /// Weights of the standardised features, and biases as the last row: `[D + 1, classes]`, f64.
    pub fn weights(&self) -> &Tensor {
        &self.weights
    }
}

/// Appends a column of ones to the features.
fn with_offset(x: &Tensor) -> Tensor {
    Tensor::cat(&[x, &Tensor::ones([x.size()[0], 1], (Kind::Double, x.device()))], 1)
}

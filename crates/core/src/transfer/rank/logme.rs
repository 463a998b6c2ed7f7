//! LogME: the evidence that features give of labels (You et al. 2021, *LogME: Practical Assessment
//! of Pre-trained Models for Transfer Learning*; the fixed point as in You et al. 2022, algorithm
//! 3).

use std::f64::consts::PI;

use tch::{Kind, Tensor};

use super::logistic::one_hot;
use crate::error::Result;

/// The most iterations of the fixed point.
const ROUNDS: usize = 1000;

/// It has converged where the ratio of the precisions changes by less than this fraction.
const CONVERGED: f64 = 1e-9;

/// The smallest divisor: of sums of squares of features that explain everything, or nothing.
const LEAST: f64 = 1e-12;

/// The logarithm of the maximum evidence, per sample, of a Bayesian linear model from features
/// `[N, D]` to each class (one against the rest), the mean over the classes: higher is better. As
/// in the paper, no bias is added and features are not standardised; a common scale of all features
/// changes nothing.
///
/// # Errors
/// If the features are not finite, so that there is no decomposition.
pub fn logme(features: &Tensor, targets: &[i64], classes: usize) -> Result<f64> {
    let features = features.to_kind(Kind::Double);
    let samples = features.size()[0] as f64;
    let (u, singular, _) = features.f_svd(true, true)?;
    // At a scale of their own, so that the iteration is the same at any.
    let squares = singular.square();
    let squares = Vec::<f64>::try_from(&squares / squares.mean(Kind::Double))?;
    let labels = one_hot(targets, classes);
    // The squared projection of each class on each direction, `[classes, K]`.
    let projected = u.tr().f_matmul(&labels)?.square().tr();
    let mut evidence = 0.;
    for class in 0..classes {
        let projected = Vec::<f64>::try_from(projected.get(class as i64).contiguous())?;
        let all = targets.iter().filter(|&&t| t == class as i64).count() as f64;
        evidence +=
            of_class(&squares, &projected, (all - projected.iter().sum::<f64>()).max(0.), samples);
    }
    Ok(evidence / classes.max(1) as f64)
}

/// The evidence of one class: `squares` are the squared singular values, `projected` the squared
/// projections of the labels on each direction, `rest` is their squared distance from all.
fn of_class(squares: &[f64], projected: &[f64], rest: f64, samples: f64) -> f64 {
    let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        squares.iter().zip(projected).map(|(&square, &projected)| f(square, projected)).sum()
    };
    // The precisions of the weights and of the noise.
    let (mut alpha, mut beta) = (1f64, 1f64);
    let mut evidence = f64::NEG_INFINITY;
    for _ in 0..ROUNDS {
        let ratio = alpha / beta;
        let determined = sum(&|square, _| square / (square + ratio));
        let weights = sum(&|square, projected| square * projected / (square + ratio).powi(2));
        let errors =
            rest + sum(&|square, projected| projected * (ratio / (square + ratio)).powi(2));
        evidence = 0.5
            * (sum(&|square, _| alpha.ln() - (alpha + beta * square).ln()) + samples * beta.ln()
                - beta * errors
                - alpha * weights
                - samples * (2. * PI).ln())
            / samples;
        alpha = determined / weights.max(LEAST);
        beta = (samples - determined).max(LEAST) / errors.max(LEAST);
        if (alpha / beta / ratio - 1.).abs() < CONVERGED {
            break;
        }
    }
    evidence
}

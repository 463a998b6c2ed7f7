//! LogME: the evidence that features give of labels (You et al. 2021, *LogME: Practical Assessment of
//! Pre-trained Models for Transfer Learning*; the fixed point as in You et al. 2022, algorithm 3).

use std::f64::consts::PI;

use tch::{Kind, Tensor};

use super::logistic::one_hot;
use crate::error::Result;

/// So often are the two precisions set, at the most.
const ROUNDS: usize = 1000;

/// They stand still where their ratio changes by less than this share.
const STILL: f64 = 1e-9;

/// The least of what is divided by: sums of squares of features that tell all, or nothing.
const LEAST: f64 = 1e-12;

/// The logarithm of the maximum evidence, per sample, of a Bayesian linear model from features
/// `[N, D]` to each class (one against the rest), the mean over the classes: higher is better. Neither
/// an offset is added nor are features brought to a scale, as in the paper; a common scale of all
/// features changes nothing.
///
/// # Errors
/// If the features are not numbers, for which there is no decomposition.
pub fn logme(features: &Tensor, targets: &[i64], classes: usize) -> Result<f64> {
    let features = features.to_kind(Kind::Double);
    let samples = features.size()[0] as f64;
    let (u, singular, _) = features.f_svd(true, true)?;
    // On a scale of their own, so that the search is the same on any.
    let squares = singular.square();
    let squares = Vec::<f64>::try_from(&squares / squares.mean(Kind::Double))?;
    let labels = one_hot(targets, classes);
    // What each direction tells of each class, `[classes, K]`.
    let told = u.tr().f_matmul(&labels)?.square().tr();
    let mut evidence = 0.;
    for class in 0..classes {
        let told = Vec::<f64>::try_from(told.get(class as i64).contiguous())?;
        let all = targets.iter().filter(|&&t| t == class as i64).count() as f64;
        evidence += of_class(&squares, &told, (all - told.iter().sum::<f64>()).max(0.), samples);
    }
    Ok(evidence / classes.max(1) as f64)
}

/// The evidence of one class: `squares` are those of the singular values, `told` those of the labels'
/// part in each direction, `rest` is what lies in none.
fn of_class(squares: &[f64], told: &[f64], rest: f64, samples: f64) -> f64 {
    let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        squares.iter().zip(told).map(|(&square, &told)| f(square, told)).sum()
    };
    // The precisions of the weights and of the noise.
    let (mut alpha, mut beta) = (1f64, 1f64);
    let mut evidence = f64::NEG_INFINITY;
    for _ in 0..ROUNDS {
        let ratio = alpha / beta;
        let determined = sum(&|square, _| square / (square + ratio));
        let weights = sum(&|square, told| square * told / (square + ratio).powi(2));
        let errors = rest + sum(&|square, told| told * (ratio / (square + ratio)).powi(2));
        evidence = 0.5
            * (sum(&|square, _| alpha.ln() - (alpha + beta * square).ln()) + samples * beta.ln()
                - beta * errors
                - alpha * weights
                - samples * (2. * PI).ln())
            / samples;
        alpha = determined / weights.max(LEAST);
        beta = (samples - determined).max(LEAST) / errors.max(LEAST);
        if (alpha / beta / ratio - 1.).abs() < STILL {
            break;
        }
    }
    evidence
}

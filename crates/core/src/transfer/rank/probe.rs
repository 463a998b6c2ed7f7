//! The linear probe: the accuracy of a linear classifier on frozen features.

use serde::Serialize;
use tch::{Kind, Tensor};

use super::lbfgs::Stop;
use super::logistic::Logistic;
use crate::error::{Error, Result};

/// One fold is scored, another one chooses the regularisation, and a third is left to fit.
pub const LEAST_FOLDS: usize = 3;

/// Strengths of the regularisation that are tried, strongest first.
const STRENGTHS: [f64; 5] = [1., 1e-1, 1e-2, 1e-3, 1e-4];

/// Enough for an accuracy; scikit-learn stops there, too.
const NEAR: Stop = Stop { gradient: 1e-4, steps: 200 };

/// The result of a cross-validated linear probe.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probe {
    /// The fraction of correct predictions over all samples, each by a classifier not trained on
    /// it.
    pub accuracy: f64,
    /// The standard error of that, from the spread over the folds.
    pub standard_error: f64,
    /// The accuracy of each fold.
    pub folds: Vec<f64>,
    /// The strength of the regularisation (as [`Logistic::fit`] has it) that each fold chose.
    pub l2: Vec<f64>,
    /// Which samples were predicted correctly.
    #[serde(skip)]
    pub correct: Vec<bool>,
}

/// Cross-validates a [`Logistic`] on features `[N, D]`. `parts` is the fold of each sample, counted
/// from 0: [`Dataset::folds`](crate::data::Dataset::folds) makes them stratified and keeps groups
/// together. For each fold, the regularisation is the one with the lowest loss on the next fold
/// when fitted to the others; then the classifier is fitted to all but the fold itself and scored
/// on it.
///
/// # Errors
/// If there are fewer than [`LEAST_FOLDS`] folds, or one is empty.
pub fn probe(features: &Tensor, targets: &[i64], classes: usize, parts: &[usize]) -> Result<Probe> {
    let features = features.to_kind(Kind::Double);
    let count = parts.iter().max().map_or(0, |last| last + 1);
    if count < LEAST_FOLDS || (0..count).any(|fold| !parts.contains(&fold)) {
        let problem = format!(
            "{} samples make {count} folds; at least {LEAST_FOLDS} that are not empty are needed",
            targets.len()
        );
        return Err(Error::setting("--folds", problem));
    }
    let mut probe = Probe {
        accuracy: 0.,
        standard_error: 0.,
        folds: vec![],
        l2: vec![],
        correct: vec![false; targets.len()],
    };
    for fold in 0..count {
        let chooser = (fold + 1) % count;
        let of = |wanted: &dyn Fn(usize) -> bool| {
            let at: Vec<usize> = (0..parts.len()).filter(|&at| wanted(parts[at])).collect();
            let index: Vec<i64> = at.iter().map(|&at| at as i64).collect();
            let labels: Vec<i64> = at.iter().map(|&at| targets[at]).collect();
            (at, features.index_select(0, &Tensor::from_slice(&index)), labels)
        };
        let (_, fit, fit_labels) = of(&|part| part != fold && part != chooser);
        let (_, choose, choose_labels) = of(&|part| part == chooser);
        let chosen = strength(&fit, &fit_labels, &choose, &choose_labels, classes);
        let (_, fit, fit_labels) = of(&|part| part != fold);
        let classifier = Logistic::fit_until(NEAR, &fit, &fit_labels, classes, chosen, None);
        let (at, score, labels) = of(&|part| part == fold);
        let answers = Vec::<i64>::try_from(classifier.scores(&score).argmax(-1, false))?;
        let mut correct = 0;
        for ((at, label), answer) in at.into_iter().zip(&labels).zip(answers) {
            probe.correct[at] = *label == answer;
            correct += usize::from(*label == answer);
        }
        probe.folds.push(correct as f64 / labels.len() as f64);
        probe.l2.push(chosen);
    }
    let correct = probe.correct.iter().filter(|&&correct| correct).count();
    probe.accuracy = correct as f64 / targets.len() as f64;
    let mean = probe.folds.iter().sum::<f64>() / count as f64;
    let squares: f64 = probe.folds.iter().map(|fold| (fold - mean).powi(2)).sum();
    probe.standard_error = (squares / (count - 1) as f64 / count as f64).sqrt();
    Ok(probe)
}

/// The strength with the lowest loss on held-out samples.
fn strength(
    fit: &Tensor,
    fit_labels: &[i64],
    choose: &Tensor,
    choose_labels: &[i64],
    classes: usize,
) -> f64 {
    let truth = Tensor::from_slice(choose_labels);
    let (mut best, mut last) = ((f64::INFINITY, STRENGTHS[0]), None);
    for l2 in STRENGTHS {
        let classifier = Logistic::fit_until(NEAR, fit, fit_labels, classes, l2, last.as_ref());
        let loss = classifier.scores(choose).nll_loss(&truth).double_value(&[]);
        if loss < best.0 {
            best = (loss, l2);
        } else if loss > 1.5 * best.0 {
            // From here on the loss only rises, and fits take longer.
            break;
        }
        last = Some(classifier);
    }
    best.1
}

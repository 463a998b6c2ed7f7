//! Metrics of regression.

use serde::{Deserialize, Serialize};

use crate::task::numbers;

/// Metrics of regression: the means over all values, and those of each value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegressionMetrics {
    /// The number of samples.
    pub samples: usize,
    /// The mean squared error in standard deviations of the training split.
    pub loss: f64,
    /// The mean squared error, in squared units.
    pub mse: f64,
    /// The mean absolute error, in units.
    pub mae: f64,
    /// The coefficient of determination: the fraction of the variance that is explained.
    pub r2: f64,
    /// Pearson's correlation; the mean over the values that have one.
    pub pearson: Option<f64>,
    /// Spearman's correlation, of ranks; likewise.
    pub spearman: Option<f64>,
    /// Value by value.
    pub values: Vec<ValueMetrics>,
}

/// Metrics of one value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ValueMetrics {
    /// Its name.
    pub value: String,
    /// The mean squared error, in squared units.
    pub mse: f64,
    /// The mean absolute error, in units.
    pub mae: f64,
    /// The fraction of the variance that is explained, below 0 where predicting the mean would be
    /// better. Where the truth is constant: 1 if all predictions are correct, else 0.
    pub r2: f64,
    /// Pearson's correlation; `None`: predictions or truth are constant.
    pub pearson: Option<f64>,
    /// Spearman's correlation, of ranks; likewise.
    pub spearman: Option<f64>,
}

/// One value: its name, the predictions and the targets of all samples.
type Column = (String, Vec<f64>, Vec<f64>);

impl RegressionMetrics {
    pub(crate) fn of(columns: &[Column], samples: usize, loss: f64) -> Self {
        let values: Vec<ValueMetrics> = columns.iter().map(ValueMetrics::of).collect();
        let average =
            |of: fn(&ValueMetrics) -> f64| mean(&values.iter().map(of).collect::<Vec<_>>());
        let known = |of: fn(&ValueMetrics) -> Option<f64>| {
            let known: Vec<f64> = values.iter().filter_map(of).collect();
            (!known.is_empty()).then(|| mean(&known))
        };
        Self {
            samples,
            loss,
            mse: average(|v| v.mse),
            mae: average(|v| v.mae),
            r2: average(|v| v.r2),
            pearson: known(|v| v.pearson),
            spearman: known(|v| v.spearman),
            values,
        }
    }
}

impl ValueMetrics {
    fn of((value, answers, truth): &Column) -> Self {
        let errors: Vec<f64> = answers.iter().zip(truth).map(|(a, t)| a - t).collect();
        let squared = mean(&errors.iter().map(|e| e * e).collect::<Vec<_>>());
        let std = numbers::std(truth.iter().copied());
        Self {
            value: value.clone(),
            mse: squared,
            mae: mean(&errors.iter().map(|e| e.abs()).collect::<Vec<_>>()),
            r2: match (std > 0., squared > 0.) {
                // Divided first: the squares of small numbers vanish.
                (true, _) => {
                    1. - mean(&errors.iter().map(|e| (e / std).powi(2)).collect::<Vec<_>>())
                }
                (false, wrong) => f64::from(u8::from(!wrong)),
            },
            pearson: correlation(answers, truth),
            spearman: correlation(&ranks(answers), &ranks(truth)),
        }
    }
}

fn mean(numbers: &[f64]) -> f64 {
    numbers::mean(numbers.iter().copied())
}

/// Pearson's correlation.
fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let std = |numbers: &[f64]| Some(numbers::std(numbers.iter().copied())).filter(|std| *std > 0.);
    let (mean_a, mean_b, std_a, std_b) = (mean(a), mean(b), std(a)?, std(b)?);
    let product = |(a, b): (&f64, &f64)| (a - mean_a) / std_a * ((b - mean_b) / std_b);
    Some(mean(&a.iter().zip(b).map(product).collect::<Vec<_>>()).clamp(-1., 1.))
}

/// The ranks by size, from 1; equal numbers get their mean rank.
fn ranks(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
    let (mut ranks, mut before) = (vec![0.; numbers.len()], 0);
    for equals in order.chunk_by(|&a, &b| numbers[a] == numbers[b]) {
        let rank = before as f64 + (equals.len() + 1) as f64 / 2.;
        equals.iter().for_each(|&at| ranks[at] = rank);
        before += equals.len();
    }
    ranks
}

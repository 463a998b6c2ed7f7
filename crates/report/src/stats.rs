//! Intervals of 95 %, each with its formula.
//!
//! | of | interval | source |
//! |---|---|---|
//! | a mean over seeds | `m ± t(n − 1) s / √n`, Student's | Student 1908 |
//! | a difference over seeds | the same of the pairs' differences | Student 1908 |
//! | an accuracy on a test set | Wilson's score interval | Wilson 1927 |
//! | a difference of two accuracies | Newcombe's hybrid of two score intervals | Newcombe 1998, method 10 |
//! | a quotient of two sums over a test set, or a difference of two | the quantiles of 2,000 resamplings | Efron 1979 |
//!
//! The last three stand in where one seed was run, or where all seeds agree and so show no spread:
//! they say how far the test set leaves the answer open, and nothing about other seeds.

use std::fmt;

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use crate::bootstrap;
use crate::interval::{Interval, UPPER};

/// What an interval is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// This many seeds.
    Seeds(usize),
    /// The samples of the test set, as the seeds show no spread.
    TestSamples(usize),
}

/// A mean with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// The 95 % confidence interval of the mean over all seeds; none if the seeds do not give one.
    pub interval: Option<Interval>,
    /// What the interval is over.
    pub over: Over,
}

impl Estimate {
    /// The mean over seeds; none without a value. Seeds that all agree show no spread, so there is no
    /// interval.
    pub fn over_seeds(values: &[f64]) -> Option<Self> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        let n = count as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        // Above what rounding makes of equal values.
        let interval = (squares > 1e-24).then(|| {
            let half = student_t(count - 1) * (squares / (n - 1.)).sqrt() / n.sqrt();
            Interval { low: mean - half, high: mean + half }
        });
        Some(Self { mean, interval, over: Over::Seeds(count) })
    }

    /// The mean accuracy on `samples` test samples; none without a value.
    pub fn of_accuracy(values: &[f64], samples: usize) -> Option<Self> {
        let over_seeds = Self::over_seeds(values)?;
        Some(match over_seeds.interval {
            Some(interval) => Self { interval: Some(interval.clipped()), ..over_seeds },
            None => Self {
                interval: Some(wilson(over_seeds.mean, samples)),
                over: Over::TestSamples(samples),
                ..over_seeds
            },
        })
    }

    /// The mean over seeds of a quotient of two sums over the test set; none without a value. If the seeds
    /// show no spread, the interval is that of the test set, resampled, of which each run has its
    /// `counts`.
    pub fn of_quotient(values: &[f64], counts: &[&[[u32; 2]]]) -> Option<Self> {
        let over_seeds = Self::over_seeds(values)?;
        Some(match over_seeds.interval {
            // Neither an error rate nor an F1 is below 0.
            Some(Interval { low, high }) => {
                Self { interval: Some(Interval { low: low.max(0.), high }), ..over_seeds }
            }
            None => over_seeds.or_resampled(counts, &[]),
        })
    }

    /// The mean difference of such quotients over pairs of runs; none without a pair.
    pub fn of_quotients(
        pairs: &[(f64, f64)],
        ones: &[&[[u32; 2]]],
        others: &[&[[u32; 2]]],
    ) -> Option<Self> {
        let differences: Vec<f64> = pairs.iter().map(|(a, b)| a - b).collect();
        let over_seeds = Self::over_seeds(&differences)?;
        Some(match over_seeds.interval {
            Some(_) => over_seeds,
            None => over_seeds.or_resampled(ones, others),
        })
    }

    fn or_resampled(self, ones: &[&[[u32; 2]]], others: &[&[[u32; 2]]]) -> Self {
        match bootstrap::interval(ones, others) {
            Some((samples, interval)) => {
                Self { interval: Some(interval), over: Over::TestSamples(samples), ..self }
            }
            None => self,
        }
    }

    /// The mean difference of accuracies over pairs of runs; none without a pair.
    pub fn of_difference(pairs: &[(f64, f64)], samples: usize) -> Option<Self> {
        let differences: Vec<f64> = pairs.iter().map(|(a, b)| a - b).collect();
        let over_seeds = Self::over_seeds(&differences)?;
        if over_seeds.interval.is_some() {
            return Some(over_seeds);
        }
        let n = pairs.len() as f64;
        let (a, b) = pairs.iter().fold((0., 0.), |(a, b), pair| (a + pair.0 / n, b + pair.1 / n));
        Some(Self {
            interval: Some(newcombe(a, b, samples)),
            over: Over::TestSamples(samples),
            ..over_seeds
        })
    }
}

/// The verdict on a difference between the transfer and a control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The interval lies above 0.
    Gain,
    /// The interval has 0 in it.
    NoGainShown,
    /// The interval lies below 0.
    Loss,
}

impl Verdict {
    /// By where 0 lies; none if there is no interval.
    pub fn of(difference: &Estimate, lower_is_better: bool) -> Option<Self> {
        let Interval { low, high } = difference.interval?;
        let (low, high) = if lower_is_better { (-high, -low) } else { (low, high) };
        Some(if low > 0. {
            Self::Gain
        } else if high < 0. {
            Self::Loss
        } else {
            Self::NoGainShown
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gain => "gain",
            Self::NoGainShown => "no gain shown",
            Self::Loss => "loss",
        })
    }
}

/// Student's t with `freedom` degrees of freedom: the `t` with `P(|T| < t) = 0.95`. Without any, no
/// end is far enough.
fn student_t(freedom: usize) -> f64 {
    StudentsT::new(0., 1., freedom as f64).map_or(f64::INFINITY, |t| t.inverse_cdf(UPPER))
}

/// The score interval of an accuracy `p` on `n` samples: with `z = 1.96`,
/// `(p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n)`. statrs has no intervals of proportions,
/// neither this nor the next.
fn wilson(p: f64, n: usize) -> Interval {
    let (n, z) = (n as f64, Normal::standard().inverse_cdf(UPPER));
    let scale = 1. + z * z / n;
    let centre = (p + z * z / (2. * n)) / scale;
    let half = z * (p * (1. - p) / n + z * z / (4. * n * n)).max(0.).sqrt() / scale;
    Interval { low: centre - half, high: centre + half }.clipped()
}

/// The interval of `a − b`, both accuracies on `n` samples: from the score intervals `l` to `u` of
/// each, `a − b − √((a − lₐ)² + (uᵦ − b)²)` to `a − b + √((uₐ − a)² + (b − lᵦ)²)`. It takes the two
/// as independent, so on the same test samples it is rather too wide.
fn newcombe(a: f64, b: f64, n: usize) -> Interval {
    let (ia, ib) = (wilson(a, n), wilson(b, n));
    Interval {
        low: a - b - (a - ia.low).hypot(ib.high - b),
        high: a - b + (ia.high - a).hypot(b - ib.low),
    }
}

#[cfg(test)]
#[path = "stats/tests.rs"]
mod tests;

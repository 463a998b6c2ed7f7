//! Intervals of what is a quotient of two sums over a test set: its samples are drawn again and again,
//! with replacement.

use crate::interval::{Interval, UPPER};

/// How often.
const DRAWS: usize = 2000;

/// The 95 % interval of the mean over runs of their quotients; less that of `others`, on the same samples
/// drawn, if there are any. With it the number of samples; none without counts of all runs alike.
pub(crate) fn interval(ones: &[&[[u32; 2]]], others: &[&[[u32; 2]]]) -> Option<(usize, Interval)> {
    let samples = ones.first()?.len();
    if samples == 0 || ones.iter().chain(others).any(|counts| counts.len() != samples) {
        return None;
    }
    // The same in every report: what is shown must not change by itself.
    let mut state = 0x853c_49e6_748f_ea9b_u64;
    let mut draw = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as usize * samples) >> 31
    };
    let mut values: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let drawn: Vec<usize> = (0..samples).map(|_| draw()).collect();
            mean(ones, &drawn) - if others.is_empty() { 0. } else { mean(others, &drawn) }
        })
        .collect();
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[(share * (DRAWS - 1) as f64).round() as usize];
    Some((samples, Interval { low: at(1. - UPPER), high: at(UPPER) }))
}

/// The mean of the runs' quotients on some samples.
fn mean(runs: &[&[[u32; 2]]], drawn: &[usize]) -> f64 {
    let quotient = |counts: &&[[u32; 2]]| {
        let sum = drawn.iter().fold([0_u64; 2], |[above, below], &at| {
            [above + u64::from(counts[at][0]), below + u64::from(counts[at][1])]
        });
        sum[0] as f64 / sum[1].max(1) as f64
    };
    runs.iter().map(quotient).sum::<f64>() / runs.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_samples_has_about_wilsons_interval() {
        let counts: Vec<[u32; 2]> = (0..400).map(|at| [u32::from(at % 4 == 0), 1]).collect();
        let (samples, Interval { low, high }) = interval(&[&counts], &[]).unwrap();
        // By the normal approximation 0.25 ± 1.96 √(0.25 · 0.75 / 400).
        assert_eq!(samples, 400);
        assert!((low - 0.2076).abs() < 0.008 && (high - 0.2924).abs() < 0.008, "{low} {high}");
    }

    #[test]
    fn a_difference_is_on_the_same_samples() {
        let counts = |wrong: usize| -> Vec<[u32; 2]> {
            (0..100).map(|at| [u32::from(at % 2 == 0) + u32::from(at < wrong), 5]).collect()
        };
        let (one, other) = (counts(20), counts(0));
        let (_, Interval { low, high }) = interval(&[&one], &[&other]).unwrap();
        // What both have wrong does not widen it: 0.04 ± 1.96 √(0.2 · 0.8 / 100) / 5.
        assert!((low - 0.0243).abs() < 0.004 && (high - 0.0557).abs() < 0.004, "{low} {high}");
        assert_eq!(interval(&[&one], &[&other[1..]]), None);
        assert_eq!(interval(&[&[]], &[]), None);
    }
}

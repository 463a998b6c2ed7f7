//! Recordings that are longer than a model's sequence.

use std::ops::Range;

use crosstune_core::Rng;
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// How a recording that is longer than a model's sequence is handled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Long {
    /// It is truncated.
    #[default]
    Cut,
    /// It is cropped: at random in training, and otherwise to the centre.
    Crop,
    /// It is cropped at random in training, and otherwise predictions are averaged over sliding
    /// windows.
    Windows,
}

impl Long {
    /// The starts of the windows of `length` in a recording of `whole` samples, at inference: at
    /// least one, each `hop` after the one before, except for the last, which ends with the
    /// recording.
    pub(crate) fn starts(self, whole: usize, length: usize, hop: usize) -> Vec<usize> {
        let spare = whole.saturating_sub(length);
        match self {
            Self::Cut => vec![0],
            Self::Crop => vec![spare / 2],
            Self::Windows => (0..spare).step_by(hop.max(1)).chain([spare]).collect(),
        }
    }
}

/// A random crop of at most `length`.
pub(crate) fn random_stretch(whole: usize, length: usize, rng: &mut Rng) -> Range<usize> {
    match whole.checked_sub(length) {
        Some(spare) if spare > 0 => {
            let start = rng.random_range(0..=spare);
            start..start + length
        }
        _ => 0..whole,
    }
}

/// The samples between silence at the beginning and at the end: blocks of 10 ms whose power is
/// `quieter` decibels or more below that of the loudest. A recording of silence alone is left as it
/// is.
pub(crate) fn sounding(samples: &[f32], rate: u32, quieter: f64) -> Range<usize> {
    let step = (rate as usize / 100).max(1);
    let power = |x: &[f32]| x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / x.len() as f64;
    let powers: Vec<f64> = samples.chunks(step).map(power).collect();
    let loudest = powers.iter().copied().fold(0., f64::max);
    let heard = |&power: &f64| power > loudest * 10_f64.powf(-quieter / 10.);
    match (powers.iter().position(heard), powers.iter().rposition(heard)) {
        (Some(first), Some(last)) => first * step..((last + 1) * step).min(samples.len()),
        _ => 0..samples.len(),
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn windows_cover_all_and_end_with_the_recording() {
        let of = |whole| Long::Windows.starts(whole, 10, 5);
        assert_eq!(of(7), [0]);
        assert_eq!(of(10), [0]);
        assert_eq!(of(11), [0, 1]);
        assert_eq!(of(20), [0, 5, 10]);
        assert_eq!(of(22), [0, 5, 10, 12]);
        assert_eq!(Long::Cut.starts(22, 10, 5), [0]);
        assert_eq!(Long::Crop.starts(22, 10, 5), [6]);
        assert_eq!(Long::Windows.starts(12, 10, 0), [0, 1, 2]);
    }

    #[test]
    fn a_random_stretch_may_be_any() {
        let mut rng = Rng::seed_from_u64(0);
        let mut starts: Vec<usize> =
            (0..100).map(|_| random_stretch(12, 10, &mut rng)).map(|r| r.start).collect();
        starts.sort_unstable();
        starts.dedup();
        assert_eq!(starts, [0, 1, 2]);
        assert_eq!(random_stretch(7, 10, &mut rng), 0..7);
    }

    #[test]
    fn silence_at_the_ends_goes() {
        let mut samples = vec![0.; 1000];
        samples[300..500].fill(0.5);
        samples[420..440].fill(0.);
        assert_eq!(sounding(&samples, 1000, 40.), 300..500);
        samples[200..300].fill(0.5 * 10_f32.powf(-30. / 20.));
        assert_eq!(sounding(&samples, 1000, 40.), 200..500);
        assert_eq!(sounding(&samples, 1000, 20.), 300..500);
        assert_eq!(sounding(&[0.; 50], 1000, 40.), 0..50);
        assert_eq!(sounding(&[], 1000, 40.), 0..0);
        assert_eq!(sounding(&[0.1; 5], 10, 40.), 0..5);
    }
}

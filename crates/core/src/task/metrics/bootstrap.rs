//! Intervals by the bootstrap.

use std::array;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::edits::Edits;

/// How often samples are drawn.
const RESAMPLES: usize = 1000;

/// The 95 % interval of the error rates of some utterances, each with its edits of words and of
/// characters (Bisani and Ney 2004): see [`resampled`].
pub(super) fn intervals(utterances: &[[Edits; 2]]) -> Option<[[f64; 2]; 2]> {
    resampled(utterances, |drawn| {
        let mut sums = [Edits::default(); 2];
        for one in drawn {
            sums.iter_mut().zip(one).for_each(|(sum, one)| sum.add(one));
        }
        sums.map(|sum| sum.rate())
    })
}

/// The 95 % intervals of what `of` makes of some samples: the percentile bootstrap, with 1,000 resamples
/// that are the same at each call. `None`: one sample tells nothing of others.
pub(super) fn resampled<T: Copy, const N: usize>(
    samples: &[T],
    of: impl Fn(&mut dyn Iterator<Item = T>) -> [f64; N],
) -> Option<[[f64; 2]; N]> {
    let count = samples.len();
    if count < 2 {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut all: [Vec<f64>; N] = array::from_fn(|_| Vec::with_capacity(RESAMPLES));
    for _ in 0..RESAMPLES {
        let mut drawn = (0..count).map(|_| samples[rng.random_range(0..count)]);
        all.iter_mut().zip(of(&mut drawn)).for_each(|(all, one)| all.push(one));
    }
    Some(all.map(|mut rates| {
        rates.sort_by(f64::total_cmp);
        [0.025, 0.975].map(|share| percentile(&rates, share))
    }))
}

/// Of sorted numbers, between which it is linear.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + (above - below) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edits(hits: usize, substitutions: usize) -> Edits {
        Edits { hits, substitutions, ..Edits::default() }
    }

    #[test]
    fn percentiles_are_those_of_numpy() {
        let sorted = [1., 2., 4., 8., 16.];
        assert_eq!(
            [0., 0.25, 0.6, 0.9, 1.].map(|x| percentile(&sorted, x)),
            [1., 2., 5.6, 12.8, 16.]
        );
    }

    #[test]
    fn an_interval_is_about_as_wide_as_the_binomial_one() {
        // 400 utterances of one word, a quarter of them wrong: 1.96 √(0.25 · 0.75 / 400) = 0.042.
        let all: Vec<_> =
            (0..400).map(|at| [edits(1, 0), edits(0, 1)][usize::from(at % 4 == 0)]).collect();
        let both: Vec<_> = all.iter().map(|one| [*one, edits(1, 0)]).collect();
        let [[low, high], characters] = intervals(&both).unwrap();
        assert!((low - 0.208).abs() < 0.006 && (high - 0.292).abs() < 0.006, "{low} {high}");
        assert_eq!(characters, [0., 0.]);
        assert_eq!(intervals(&both), intervals(&both), "the same at each call");
        assert_eq!(intervals(&both[..1]), None);
    }
}

//! Intervals by the bootstrap.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::edits::Edits;

/// How often samples are drawn.
const RESAMPLES: usize = 1000;

/// The 95 % interval of the error rates of some utterances, each with its edits of words and of
/// characters: the percentile bootstrap over utterances (Bisani and Ney 2004), with 1,000 resamples that
/// are the same at each call. `None`: one utterance tells nothing of others.
pub(super) fn intervals(utterances: &[[Edits; 2]]) -> Option<[[f64; 2]; 2]> {
    let count = utterances.len();
    if count < 2 {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut rates = [vec![], vec![]];
    for _ in 0..RESAMPLES {
        let mut sums = [Edits::default(); 2];
        for _ in 0..count {
            let drawn = utterances[rng.random_range(0..count)];
            sums.iter_mut().zip(drawn).for_each(|(sum, one)| sum.add(one));
        }
        rates.iter_mut().zip(sums).for_each(|(rates, sum)| rates.push(sum.rate()));
    }
    Some(rates.map(|mut rates| {
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

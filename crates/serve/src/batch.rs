//! Which of those that wait are answered together.

/// Padding may be up to this fraction of what all positions of a batch hold.
const PADDING: f64 = 0.4;

/// Chooses at most `most` of those that wait, told by their lengths, the one that came first among
/// them: those whose lengths are nearest to its own, as long as little is padded. Returns indices, the
/// first one's before all others.
pub(crate) fn choose(lengths: &[usize], most: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..lengths.len()).collect();
    order.sort_by_key(|&at| lengths[at]);
    let Some(first) = order.iter().position(|&at| at == 0) else { return vec![] };
    let (mut from, mut to, mut sum) = (first, first + 1, lengths[0] as f64);
    while to - from < most.max(1) {
        let fits = |at: usize, longest: usize| {
            let length = lengths[order[at]] as f64;
            let held = lengths[order[longest]] as f64 * (to - from + 1) as f64;
            let padded = held - sum - length;
            (padded <= PADDING * held).then_some((padded, length))
        };
        let below = from.checked_sub(1).and_then(|at| fits(at, to - 1));
        let above = if to < order.len() { fits(to, to) } else { None };
        match (below, above) {
            (Some((padded, length)), above) if above.is_none_or(|(other, _)| padded <= other) => {
                from -= 1;
                sum += length;
            }
            (_, Some((_, length))) => {
                to += 1;
                sum += length;
            }
            (_, None) => break,
        }
    }
    let others = order[from..to].iter().copied().filter(|&at| at != 0);
    [0].into_iter().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn those_of_about_the_same_length_go_together() {
        assert_eq!(choose(&[], 4), [0; 0]);
        assert_eq!(choose(&[7], 0), [0]);
        assert_eq!(choose(&[5, 5, 5, 5], 3), [0, 1, 2]);
        // The first is long: the short ones wait for each other.
        assert_eq!(choose(&[500, 5, 6, 7], 4), [0]);
        assert_eq!(choose(&[6, 500, 5, 480, 7], 4), [0, 2, 4]);
        // Of many, the nearest.
        assert_eq!(choose(&[10, 14, 11, 9, 13], 3), [0, 3, 2]);
    }

    proptest! {
        #[test]
        fn the_first_is_always_among_them_and_little_is_padded(
            lengths in proptest::collection::vec(0usize..1000, 1..50), most in 1usize..40
        ) {
            let mut chosen = choose(&lengths, most);
            prop_assert_eq!(chosen[0], 0);
            prop_assert!(chosen.len() <= most);
            let longest = chosen.iter().map(|&at| lengths[at]).max().unwrap() * chosen.len();
            let sum: usize = chosen.iter().map(|&at| lengths[at]).sum();
            prop_assert!((longest - sum) as f64 <= PADDING * longest as f64 + 1e-9);
            chosen.sort_unstable();
            chosen.dedup();
            prop_assert!(chosen.len() <= lengths.len());
        }
    }
}

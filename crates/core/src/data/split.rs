//! Seeded choices among items: stratified hold-out and a limit per class.

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::Item;

/// Takes a share of every class away from `items` (at least one of each class that has two or
/// more) and returns it; both keep the order of the items.
pub(super) fn hold_out(items: &mut Vec<Item>, share: f64, seed: u64) -> Vec<Item> {
    let mut chosen = vec![false; items.len()];
    for class in by_class(items, seed) {
        let n = ((class.len() as f64 * share).round() as usize).clamp(1, class.len());
        let n = if class.len() < 2 { 0 } else { n.min(class.len() - 1) };
        class[..n].iter().for_each(|&i| chosen[i] = true);
    }
    partition(items, &chosen)
}

/// Keeps `limit` random items of every class, in their order.
pub(super) fn limit_per_class(items: &mut Vec<Item>, limit: usize, seed: u64) {
    let mut dropped = vec![false; items.len()];
    for class in by_class(items, seed) {
        class.iter().skip(limit).for_each(|&i| dropped[i] = true);
    }
    partition(items, &dropped);
}

/// The indices of every class, in random order.
fn by_class(items: &[Item], seed: u64) -> Vec<Vec<usize>> {
    let classes = items.iter().map(|i| i.label + 1).max().unwrap_or(0);
    let mut by_class = vec![vec![]; classes];
    for (at, item) in items.iter().enumerate() {
        by_class[item.label].push(at);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    by_class.iter_mut().for_each(|class| class.shuffle(&mut rng));
    by_class
}

fn partition(items: &mut Vec<Item>, taken: &[bool]) -> Vec<Item> {
    let (out, kept): (Vec<_>, Vec<_>) = items.drain(..).zip(taken).partition(|(_, taken)| **taken);
    *items = kept.into_iter().map(|(item, _)| item).collect();
    out.into_iter().map(|(item, _)| item).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn items(counts: &[usize]) -> Vec<Item> {
        let labels = counts.iter().enumerate().flat_map(|(l, &n)| std::iter::repeat_n(l, n));
        labels.map(|label| Item { label, ..Item::file(Path::new("x")) }).collect()
    }
    fn counts(items: &[Item], classes: usize) -> Vec<usize> {
        (0..classes).map(|c| items.iter().filter(|i| i.label == c).count()).collect()
    }

    #[test]
    fn every_class_gives_its_share() {
        let mut train = items(&[100, 20, 2, 1]);
        let held = hold_out(&mut train, 0.1, 7);
        assert_eq!(counts(&held, 4), [10, 2, 1, 0]);
        assert_eq!(counts(&train, 4), [90, 18, 1, 1]);
    }

    #[test]
    fn the_seed_decides() {
        let all: Vec<Item> = (0..50)
            .map(|i| Item { label: i % 2, ..Item::file(Path::new(&i.to_string())) })
            .collect();
        let held = |seed| hold_out(&mut all.clone(), 0.2, seed);
        assert_eq!(held(1), held(1));
        assert_ne!(held(1), held(2));
    }

    #[test]
    fn a_limit_is_per_class() {
        let mut train = items(&[100, 20, 2]);
        limit_per_class(&mut train, 5, 0);
        assert_eq!(counts(&train, 3), [5, 5, 2]);
    }
}

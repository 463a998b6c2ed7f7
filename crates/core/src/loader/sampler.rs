//! The order in which samples come.

use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

use super::samples::Samples;
use crate::random::Rng;
#[cfg(doc)]
use crate::random::seed;

/// The batches of an order of samples: `size` indices each, the last perhaps fewer.
pub(crate) fn chunks(order: &[usize], size: usize) -> Vec<Vec<usize>> {
    order.chunks(size.max(1)).map(<[_]>::to_vec).collect()
}

/// The part of a list that is the `rank`-th of so many processes': as long as any other's, or one longer,
/// and all parts in a row are the list.
pub(crate) fn slice(list: &[usize], [rank, size]: [usize; 2]) -> &[usize] {
    let from = |rank: usize| rank * list.len() / size.max(1);
    &list[from(rank)..from(rank + 1)]
}

/// All samples in order, `size` to a batch: fewer where they are so long that a batch of them would not
/// fit into memory.
pub(crate) fn in_order(samples: &Samples, size: usize) -> Vec<Vec<usize>> {
    by_size((0..samples.len()).map(|at| samples.length(at)), size)
}

/// The same of samples of these lengths.
fn by_size(lengths: impl Iterator<Item = usize>, size: usize) -> Vec<Vec<usize>> {
    /// In the samples of a batch together, at most, if it has more than one.
    const VALUES: usize = 1 << 25;
    let mut lists: Vec<Vec<usize>> = vec![];
    let mut values = 0;
    for (at, length) in lengths.enumerate() {
        values += length;
        match lists.last_mut().filter(|list| list.len() < size.max(1) && values <= VALUES) {
            Some(list) => list.push(at),
            None => {
                lists.push(vec![at]);
                values = length;
            }
        }
    }
    lists
}

/// Batches of samples of about the same length, in random order. `order` is cut into stretches of
/// many batches, and each is sorted by itself: most of the chance is left.
pub(crate) fn by_length(
    train: &Samples,
    order: &[usize],
    size: usize,
    rng: &mut Rng,
) -> Vec<Vec<usize>> {
    const BATCHES: usize = 50;
    let mut lists = vec![];
    for stretch in order.chunks(size.saturating_mul(BATCHES)) {
        let mut stretch = stretch.to_vec();
        stretch.sort_by_key(|&at| train.length(at));
        lists.extend(chunks(&stretch, size));
    }
    lists.shuffle(rng);
    lists
}

/// An epoch's samples, as many as there are `targets`, so that all classes come alike (to within
/// one sample): those of large classes not all, those of small ones several times, none again
/// before all of its class had their turn.
pub fn balanced_order(targets: &[i64], rng: &mut Rng) -> Vec<usize> {
    let mut classes = std::collections::BTreeMap::<i64, Vec<usize>>::new();
    for (at, &target) in targets.iter().enumerate() {
        classes.entry(target).or_default().push(at);
    }
    let mut classes: Vec<_> = classes.into_values().collect();
    // Chance decides which classes have one more.
    classes.shuffle(rng);
    let mut order = Vec::with_capacity(targets.len());
    let mut left = classes.len();
    for class in &mut classes {
        let fraction = (targets.len() - order.len()) / left;
        left -= 1;
        let end = order.len() + fraction;
        while order.len() < end {
            class.shuffle(rng);
            order.extend(class.iter().copied().take(end - order.len()));
        }
    }
    order.shuffle(rng);
    order
}

/// The order of the training samples, new in every epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// At random.
    #[default]
    Shuffled,
    /// At random, but with batches of samples of about the same length, so that little is padded.
    ByLength,
}

/// What is done about classes of different sizes; see
/// [`class_weights`](crate::task::class_weights).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// Nothing: each sample counts the same.
    #[default]
    Nothing,
    /// In the loss, samples of small classes count more.
    Weights,
    /// Samples of small classes come more often, those of large ones not all in an epoch.
    Sampling,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_in_a_row_are_the_list() {
        let list: Vec<usize> = (0..7).collect();
        assert_eq!([0, 1].map(|rank| slice(&list, [rank, 2])), [&list[..3], &list[3..]]);
        let all: Vec<usize> = (0..9).flat_map(|rank| slice(&list, [rank, 9]).to_vec()).collect();
        assert_eq!(all, list);
    }

    #[test]
    fn long_samples_are_few_to_a_batch() {
        let long = 1 << 24;
        let lengths = [7, 7, 7, long, long, long, long + 1, 2 * long + 1, 7];
        let lists = by_size(lengths.into_iter(), 3);
        assert_eq!(lists, [vec![0, 1, 2], vec![3, 4], vec![5], vec![6], vec![7], vec![8]]);
        assert_eq!(by_size([1, 1].into_iter(), 0), [[0], [1]]);
    }
}

//! The order in which samples come.

use std::cmp::Reverse;
use std::collections::HashMap;

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

/// The part of a batch that is the `rank`-th of so many processes', in the order of the batch. The longest
/// samples are dealt first, back and forth: all parts are about as long together, and have as many samples
/// or one more.
pub(crate) fn share(
    list: &[usize],
    length: impl Fn(usize) -> usize,
    [rank, size]: [usize; 2],
) -> Vec<usize> {
    let mut places: Vec<usize> = (0..list.len()).collect();
    places.sort_by_key(|&place| Reverse(length(list[place])));
    let dealt_to = |turn: usize| match (turn / size) % 2 {
        0 => turn % size,
        _ => size - 1 - turn % size,
    };
    let mut own: Vec<usize> =
        (0..list.len()).filter(|&turn| dealt_to(turn) == rank).map(|turn| places[turn]).collect();
    own.sort_unstable();
    own.into_iter().map(|place| list[place]).collect()
}

/// How many batches are sorted by length together.
const BATCHES: usize = 50;

/// All samples in stretches of many batches, `size` to a batch: fewer where they are so long that they
/// would not fit into memory together. The stretches are in order; within one, samples of about the same
/// length share a batch, so that little is padded.
pub(crate) fn stretches(samples: &Samples, size: usize) -> Vec<Vec<Vec<usize>>> {
    stretches_of(samples.len(), |at| samples.length(at), size)
}

/// The same of so many samples of these lengths.
fn stretches_of(
    count: usize,
    length: impl Fn(usize) -> usize,
    size: usize,
) -> Vec<Vec<Vec<usize>>> {
    let stretches = by_size((0..count).map(&length), size.max(1).saturating_mul(BATCHES));
    let sorted = |mut stretch: Vec<usize>| {
        stretch.sort_by_key(|&at| length(at));
        chunks(&stretch, size)
    };
    stretches.into_iter().map(sorted).collect()
}

/// Puts what was made of batches into the order of their lists.
pub(crate) fn ordered<T>(
    lists: &[Vec<usize>],
    mut made: Vec<(Vec<usize>, T)>,
) -> Vec<(Vec<usize>, T)> {
    let place: HashMap<_, _> =
        lists.iter().enumerate().map(|(at, list)| (list.first(), at)).collect();
    made.sort_by_key(|(chosen, _)| place.get(&chosen.first()).copied());
    made
}

/// Lists of samples in order, `size` to a list: fewer where they are so long that they would not fit into
/// memory together.
fn by_size(lengths: impl Iterator<Item = usize>, size: usize) -> Vec<Vec<usize>> {
    /// In the samples of a list together, at most, if it has more than one.
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
    fn shares_are_of_one_length_and_together_the_batch() {
        let list = [6, 2, 9, 4, 0, 7, 3];
        for size in [1, 2, 3, 9] {
            let shares: Vec<_> =
                (0..size).map(|rank| share(&list, |at| 10 + at, [rank, size])).collect();
            let mut all = shares.concat();
            all.sort_unstable();
            assert_eq!(all, [0, 2, 3, 4, 6, 7, 9]);
            let counts = || shares.iter().map(Vec::len);
            assert!(counts().max().unwrap() - counts().min().unwrap() <= 1);
        }
        let halves = [0, 1].map(|rank| share(&list, |at| at, [rank, 2]));
        assert_eq!(halves, [vec![9, 4, 3], vec![6, 2, 0, 7]]);
    }

    #[test]
    fn batches_are_of_like_lengths_and_in_stretches() {
        let lengths: Vec<usize> = (0..250).map(|at| 1 + at * 37 % 50).collect();
        let stretches = stretches_of(lengths.len(), |at| lengths[at], 2);
        let counts: Vec<_> = stretches.iter().map(|lists| lists.concat().len()).collect();
        assert_eq!(counts, [100, 100, 50]);
        for (number, lists) in stretches.iter().enumerate() {
            let mut all = lists.concat();
            assert!(all.is_sorted_by_key(|&at| lengths[at]), "{lists:?}");
            all.sort_unstable();
            assert!(all.into_iter().eq(100 * number..100 * number + counts[number]));
            assert!(lists.iter().all(|list| list.len() == 2));
        }
        let lists = stretches.concat();
        let made = lists.iter().rev().map(|list| (list.clone(), ())).collect();
        assert!(ordered(&lists, made).into_iter().map(|(list, ())| list).eq(lists));
    }

    #[test]
    fn long_samples_are_few_to_a_list() {
        let long = 1 << 24;
        let lengths = [7, 7, 7, long, long, long, long + 1, 2 * long + 1, 7];
        let lists = by_size(lengths.into_iter(), 3);
        assert_eq!(lists, [vec![0, 1, 2], vec![3, 4], vec![5], vec![6], vec![7], vec![8]]);
        assert_eq!(by_size([1, 1].into_iter(), 0), [[0], [1]]);
    }
}

//! Seeded choices among items: stratified hold-out, folds, groups, and a limit per class.

use std::collections::{BTreeMap, BTreeSet};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::item::Item;
use crate::task::Target;

/// Removes a fraction of every class from `items` (at least one of each class that has two or more)
/// and returns it; both keep the order of the items.
pub(super) fn hold_out(items: &mut Vec<Item>, fraction: f64, seed: u64) -> Vec<Item> {
    if items.iter().any(|item| matches!(item.target, Target::Labels(_))) {
        // One item may be of several classes, as a group is.
        return hold_out_groups(items, fraction, seed).unwrap_or_default();
    }
    let mut chosen = vec![false; items.len()];
    for class in by_class(items, seed) {
        let n = ((class.len() as f64 * fraction).round() as usize).clamp(1, class.len());
        let n = if class.len() < 2 { 0 } else { n.min(class.len() - 1) };
        class[..n].iter().for_each(|&i| chosen[i] = true);
    }
    partition(items, &chosen)
}

/// The same with whole groups, none of which has all samples of a class: as close to the fraction
/// of every class as greedily adding groups in random order comes. `None` if there is no such
/// group.
pub(super) fn hold_out_groups(
    items: &mut Vec<Item>,
    fraction: f64,
    seed: u64,
) -> Option<Vec<Item>> {
    let sizes = sizes(items);
    let mut held = vec![0; sizes.len()];
    let mut chosen = vec![false; items.len()];
    // How much farther from the fraction we are with a group than without it; `None`: not allowed.
    let farther = |held: &[usize], group: &Group| -> Option<f64> {
        let farther = group.classes.iter().map(|(&class, &more)| {
            let (all, held) = (sizes[class] as f64, held[class]);
            let off = |held: usize| (held as f64 / all - fraction).powi(2);
            (held + more < sizes[class]).then(|| off(held + more) - off(held))
        });
        farther.sum()
    };
    let groups = groups(items, seed);
    let mut take = |group: &Group, held: &mut [usize]| {
        group.classes.iter().for_each(|(&class, &more)| held[class] += more);
        group.members.iter().for_each(|&at| chosen[at] = true);
    };
    for group in &groups {
        if farther(&held, group).is_some_and(|farther| farther < 0.) {
            take(group, &mut held);
        }
    }
    if held.iter().all(|&held| held == 0) {
        // All are larger than the fraction: the one that comes closest.
        let near = groups.iter().filter_map(|group| Some((farther(&held, group)?, group)));
        let (_, group) = near.min_by(|(a, _), (b, _)| a.total_cmp(b))?;
        take(group, &mut held);
    }
    Some(partition(items, &chosen))
}

/// The fold of every item, counted from 0: folds are stratified by class, and a group is in one
/// alone. The largest groups are assigned first, each to the fold that has the least of its classes
/// (as scikit-learn's `StratifiedGroupKFold` does).
pub(super) fn folds(items: &[Item], folds: usize, seed: u64) -> Vec<usize> {
    let sizes = sizes(items);
    // More than there are items would be empty.
    let folds = folds.min(items.len());
    let mut fractions = vec![vec![0.; sizes.len()]; folds];
    let mut counts = vec![0; folds];
    let mut of = vec![0; items.len()];
    let mut groups = groups(items, seed);
    groups.sort_by_key(|group| std::cmp::Reverse(group.members.len()));
    for group in groups {
        // What the sum of squared fractions, over folds and classes, grows by.
        let grows = |fold: usize| -> f64 {
            let more = group.classes.iter().map(|(&class, &count)| {
                let more = count as f64 / sizes[class] as f64;
                more * (2. * fractions[fold][class] + more)
            });
            more.sum()
        };
        let least = (0..folds)
            .min_by(|&a, &b| grows(a).total_cmp(&grows(b)).then_with(|| counts[a].cmp(&counts[b])));
        let fold = least.unwrap_or_default();
        for (&class, &count) in &group.classes {
            fractions[fold][class] += count as f64 / sizes[class] as f64;
        }
        counts[fold] += group.members.len();
        group.members.iter().for_each(|&at| of[at] = fold);
    }
    of
}

/// Items that stay together.
#[derive(Default)]
struct Group {
    members: Vec<usize>,
    /// The number of items of each class.
    classes: BTreeMap<usize, usize>,
}

/// All groups, in random order. An item without a group is one by itself.
fn groups(items: &[Item], seed: u64) -> Vec<Group> {
    let (mut named, mut alone) = (BTreeMap::<&str, Group>::new(), vec![]);
    for (at, item) in items.iter().enumerate() {
        let group = match &item.group {
            Some(name) => named.entry(name).or_default(),
            None => {
                alone.push(Group::default());
                let last = alone.len() - 1;
                &mut alone[last]
            }
        };
        group.members.push(at);
        for class in item.target.strata() {
            *group.classes.entry(class).or_default() += 1;
        }
    }
    let mut groups: Vec<_> = named.into_values().chain(alone).collect();
    groups.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    groups
}

/// The number of items of every class.
fn sizes(items: &[Item]) -> Vec<usize> {
    let classes: Vec<usize> = items.iter().flat_map(|item| item.target.strata()).collect();
    let mut sizes = vec![0; classes.iter().max().map_or(0, |most| most + 1)];
    classes.iter().for_each(|&class| sizes[class] += 1);
    sizes
}

/// Keeps `limit` random items of every class, in their order: the same as [`chosen`] does.
pub(super) fn limit_per_class(items: &mut Vec<Item>, limit: usize, seed: u64) {
    let mut dropped = vec![false; items.len()];
    for class in by_class(items, seed) {
        class.iter().skip(limit).for_each(|&i| dropped[i] = true);
    }
    partition(items, &dropped);
}

/// Keeps `limit` random samples.
pub(super) fn limit(items: &mut Vec<Item>, limit: usize, seed: u64) {
    let kept = chosen(&[items.len()], limit, seed).remove(0);
    let dropped: Vec<bool> = (0..items.len()).map(|at| !kept.contains(&(at as u32))).collect();
    partition(items, &dropped);
}

/// Chooses `limit` random samples of every class, of which only the sizes are known: places among
/// the samples of the class.
pub(super) fn chosen(sizes: &[usize], limit: usize, seed: u64) -> Vec<BTreeSet<u32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let of = |&size: &usize| {
        let mut places: Vec<u32> = (0..size as u32).collect();
        places.shuffle(&mut rng);
        places.into_iter().take(limit).collect()
    };
    sizes.iter().map(of).collect()
}

/// The indices of every class, in random order.
fn by_class(items: &[Item], seed: u64) -> Vec<Vec<usize>> {
    let mut by_class = vec![vec![]; sizes(items).len()];
    for (at, item) in items.iter().enumerate() {
        item.target.strata().into_iter().for_each(|class| by_class[class].push(at));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    by_class.iter_mut().for_each(|class| class.shuffle(&mut rng));
    by_class
}

/// Removes and returns the marked items; both keep the order of the items.
pub(super) fn partition(items: &mut Vec<Item>, marked: &[bool]) -> Vec<Item> {
    let mut marked = marked.iter();
    items.extract_if(.., |_| marked.next().copied().unwrap_or(false)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn items(counts: &[usize]) -> Vec<Item> {
        let labels = counts.iter().enumerate().flat_map(|(l, &n)| std::iter::repeat_n(l, n));
        labels
            .map(|label| Item { target: Target::Class(label), ..Item::file(Path::new("x")) })
            .collect()
    }
    fn counts(items: &[Item], classes: usize) -> Vec<usize> {
        (0..classes).map(|c| items.iter().filter(|i| i.target.has(c)).count()).collect()
    }

    #[test]
    fn every_class_gives_its_fraction() {
        let mut train = items(&[100, 20, 2, 1]);
        let held = hold_out(&mut train, 0.1, 7);
        assert_eq!(counts(&held, 4), [10, 2, 1, 0]);
        assert_eq!(counts(&train, 4), [90, 18, 1, 1]);
    }

    #[test]
    fn the_seed_decides() {
        let all: Vec<Item> = (0..50)
            .map(|i| Item { target: Target::Class(i % 2), ..Item::file(Path::new(&i.to_string())) })
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

    /// Every speaker says every digit equally often, except one, who says more.
    fn spoken() -> Vec<Item> {
        let all = (0..6).flat_map(|who| {
            (0..4).flat_map(move |digit| {
                let often = if who == 5 { 9 } else { 3 };
                std::iter::repeat_n((who, digit), often)
            })
        });
        let item = |(who, label): (i32, usize)| Item {
            target: Target::Class(label),
            group: Some(format!("speaker {who}")),
            ..Item::file(Path::new("x"))
        };
        all.map(item).collect()
    }
    fn speakers(items: &[Item]) -> std::collections::BTreeSet<String> {
        items.iter().filter_map(|item| item.group.clone()).collect()
    }

    #[test]
    fn a_group_is_never_on_both_sides() {
        for fraction in [0.01, 0.1, 0.3, 0.5] {
            for seed in 0..8 {
                let mut train = spoken();
                let held = hold_out_groups(&mut train, fraction, seed).unwrap();
                assert!(speakers(&held).is_disjoint(&speakers(&train)));
                assert_eq!(held.len() + train.len(), spoken().len());
                let got = held.len() as f64 / 96.;
                assert!((got - fraction).abs() <= 0.125, "{got} held out, not {fraction}");
            }
        }
        let alone: Vec<Item> = (0..2)
            .map(|label| Item {
                group: Some(label.to_string()),
                target: Target::Class(label),
                ..Item::file(Path::new("x"))
            })
            .collect();
        assert!(hold_out_groups(&mut alone.clone(), 0.5, 0).is_none());
    }

    #[test]
    fn folds_are_stratified_and_each_item_is_in_one() {
        let of = folds(&items(&[50, 20, 7]), 5, 3);
        for fold in 0..5 {
            let counts = [0..50, 50..70, 70..77]
                .map(|class| of[class].iter().filter(|&&other| other == fold).count());
            assert_eq!(counts[..2], [10, 4], "in fold {fold}");
            assert!((1..=2).contains(&counts[2]), "in fold {fold}");
        }
        assert_ne!(of, folds(&items(&[50, 20, 7]), 5, 4));
    }

    #[test]
    fn folds_keep_groups_together() {
        let items = spoken();
        let of = folds(&items, 3, 1);
        let mut sizes = vec![0; 3];
        for (item, fold) in items.iter().zip(&of) {
            let first = items.iter().position(|other| other.group == item.group).unwrap();
            assert_eq!(of[first], *fold);
            sizes[*fold] += 1;
        }
        sizes.sort();
        assert_eq!(sizes, [24, 36, 36], "the large one alone, five others beside");
    }
}

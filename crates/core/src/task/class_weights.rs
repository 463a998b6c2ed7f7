//! Class imbalance: weights for the loss.

use super::target::Target;

/// Weights for [`Objective::with_weights`](crate::task::Objective::with_weights): of classes, as
/// [`class_weights`] has them; of labels, the number of samples without the label for each one with
/// it. `answers` is the number of classes or labels.
pub fn weights(targets: &[Target], answers: usize) -> Vec<f32> {
    if targets.iter().any(|target| target.class().is_some()) {
        let classes = targets.iter().filter_map(Target::class).map(|class| class as i64);
        return class_weights(&classes.collect::<Vec<_>>(), answers);
    }
    let having = |label| targets.iter().filter(|target| target.has(label)).count();
    let weight = |having: usize| (targets.len() - having) as f32 / having.max(1) as f32;
    (0..answers).map(|label| weight(having(label))).collect()
}

/// A weight for each class, inversely proportional to its size, with a mean of 1 over the samples.
/// A class without samples has 0.
pub fn class_weights(targets: &[i64], classes: usize) -> Vec<f32> {
    let mut counts = vec![0_usize; classes];
    targets.iter().for_each(|&class| counts[class as usize] += 1);
    let present = counts.iter().filter(|&&count| count > 0).count();
    let even = targets.len() as f32 / present.max(1) as f32;
    counts.iter().map(|&count| if count == 0 { 0. } else { even / count as f32 }).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::loader::balanced_order;

    #[test]
    fn weights_are_those_of_scikit_learn() {
        let labels = [0, 0, 0, 0, 0, 0, 2, 2];
        // compute_class_weight("balanced", classes=[0, 2], y=labels); the middle class has no
        // samples.
        let weights = class_weights(&labels, 3);
        assert_eq!(weights, [8. / (2. * 6.), 0., 8. / (2. * 2.)]);
        let mean = labels.iter().map(|&class| weights[class as usize]).sum::<f32>() / 8.;
        assert!((mean - 1.).abs() < 1e-6);
        assert!(class_weights(&[], 0).is_empty());
    }

    #[test]
    fn labels_weigh_by_the_samples_without_them() {
        // The `pos_weight` of PyTorch's documentation: 300 samples without the label, 100 with it.
        let has = |label: bool, other: bool| Target::Labels(vec![label, other]);
        let targets = [has(true, false), has(false, true), has(false, true), has(false, true)];
        assert_eq!(weights(&targets, 2), [3., 1. / 3.]);
        let classes = [0, 0, 0, 1].map(Target::Class);
        assert_eq!(weights(&classes, 2), class_weights(&[0, 0, 0, 1], 2));
    }

    #[test]
    fn classes_come_equally_often_and_no_sample_twice_before_all_came_once() {
        let targets: Vec<i64> = [vec![0; 90], vec![1; 4], vec![2; 7]].concat();
        let order = |seed| balanced_order(&targets, &mut ChaCha8Rng::seed_from_u64(seed));
        let epoch = order(1);
        assert_eq!(epoch.len(), 101);
        let mut counts = vec![0; 101];
        epoch.iter().for_each(|&at| counts[at] += 1);
        for (class, members) in [(0, 0..90), (1, 90..94), (2, 94..101)] {
            let drawn = &counts[members];
            let all: i32 = drawn.iter().sum();
            assert!((33..=34).contains(&all), "class {class} comes {all} times");
            let (least, most) = (drawn.iter().min(), drawn.iter().max());
            assert!(most.unwrap() - least.unwrap() <= 1, "class {class}: {drawn:?}");
        }
        assert_eq!(order(1), epoch);
        assert_ne!(order(2), epoch);
        // Classes are mixed: the first third is not all of one.
        let first: std::collections::BTreeSet<_> =
            epoch[..33].iter().map(|&i| targets[i]).collect();
        assert_eq!(first.len(), 3);
        assert!(balanced_order(&[], &mut ChaCha8Rng::seed_from_u64(0)).is_empty());
    }
}

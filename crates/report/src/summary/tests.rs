//! On the sample, and on runs small enough to reckon by hand.

use super::*;
use crate::{comparison::Point, sample, stats::Over};

/// A run's size, seed and right answers.
type Small = (usize, u64, u32);

/// A comparison of two classes and four test samples.
fn small(arms: &[(ArmKind, &[Small])]) -> Comparison {
    let mut c = sample::comparison(sample::SOURCES[0], sample::TARGETS[2]);
    let template = Run { calibration: None, ..c.arms[0].runs[0].clone() };
    let run = |&(size, seed, right): &Small| {
        let (low, high) = (right / 2, right - right / 2);
        let confusion = vec![vec![low, 2 - low], vec![2 - high, high]].try_into().unwrap();
        let accuracy = f64::from(right) / 4.;
        let point =
            |epoch, share: f64| Point { epoch, seconds: epoch as f64, value: accuracy * share };
        let curve = vec![point(1, 0.5), point(3, 1.)];
        Run { size, seed, value: accuracy, confusion: Some(confusion), curve, ..template.clone() }
    };
    let arm = |(kind, runs): &(ArmKind, &[_])| Arm {
        kind: *kind,
        trials: Vec::new(),
        runs: runs.iter().map(run).collect(),
    };
    c.arms = arms.iter().map(arm).collect();
    c.test_samples = 4;
    c.error_examples.clear();
    c.validate().expect("a valid comparison");
    c
}

#[test]
fn pairs_are_of_the_same_seed_whatever_their_order() {
    let c = small(&[
        (ArmKind::Transfer, &[(100, 7, 4), (100, 1, 3), (100, 5, 0)]),
        (ArmKind::Scratch, &[(100, 1, 2), (100, 7, 4), (100, 9, 0)]),
    ]);
    let summary = Summary::of(&c);
    let against = &summary.sizes[0].against[0];
    // 4 − 4 and 3 − 2 of 4; seeds 5 and 9 have no partner.
    let difference = against.difference.expect("two pairs");
    assert!((difference.mean - 0.125).abs() < 1e-12);
    assert_eq!(difference.over, Over::Seeds(2));
    assert_eq!(against.verdict, Some(Verdict::NoGainShown));
    let jump = against.jump_start.as_ref().expect("curves");
    assert_eq!(jump.epoch, 1);
    assert!((jump.difference.mean - 0.0625).abs() < 1e-12);
}

#[test]
fn the_threshold_is_what_scratch_reaches_and_the_transfer_gets_there_sooner() {
    let c = small(&[
        (ArmKind::Transfer, &[(100, 0, 2), (300, 0, 4)]),
        (ArmKind::Scratch, &[(100, 0, 1), (300, 0, 3)]),
        (ArmKind::Shuffled, &[(100, 0, 1), (300, 0, 2)]),
    ]);
    let summary = Summary::of(&c);
    assert_eq!(summary.threshold, Some(0.75));
    assert_eq!(summary.majority, Some(0.5));
    let [transfer, scratch, shuffled] = &summary.overall[..] else { panic!() };
    // Half-way from 0.5 to 1 in the logarithm of the size.
    let Some(Reach::At(examples)) = transfer.examples else { panic!() };
    assert!((examples - 30_000f64.sqrt()).abs() < 1e-9);
    let Some(Reach::At(examples)) = scratch.examples else { panic!() };
    assert!((examples - 300.).abs() < 1e-9);
    assert!(matches!(shuffled.examples, Some(Reach::NotUpTo(_))));
    // From 0.5 after a second to 1 after three.
    assert_eq!(transfer.seconds, Some(Reach::At(2.)));
    assert_eq!(scratch.seconds, Some(Reach::At(3.)));
    assert_eq!(transfer.area_over_size.map(|area| area.mean), Some(0.75));
    assert_eq!(transfer.area_over_epochs.map(|area| area.mean), Some(0.75));
    assert_eq!(summary.sizes[1].best_control, Some(ArmKind::Scratch));
}

#[test]
fn a_threshold_of_ones_own_wins() {
    let mut c = small(&[(ArmKind::Transfer, &[(100, 0, 2), (300, 0, 4)])]);
    assert_eq!(Summary::of(&c).threshold, None);
    c.threshold = Some(0.5);
    assert!(matches!(Summary::of(&c).overall[0].examples, Some(Reach::By(_))));
}

#[test]
fn a_lower_error_rate_is_a_gain() {
    let mut c = sample::sequences::transcription();
    let summary = Summary::of(&c);
    assert_eq!(summary.majority, None);
    for at in &summary.sizes {
        let mean = |kind| at.arm(kind).map(|arm| arm.value.mean).expect("the arm");
        let best = at.best_control.expect("controls");
        assert!(ArmKind::CONTROLS.into_iter().all(|kind| mean(best) <= mean(kind)));
        for against in &at.against {
            let by = against.difference.expect("pairs");
            let interval = by.interval.expect("seeds differ");
            let expected = match (interval.low > 0., interval.high < 0.) {
                (true, _) => Verdict::Loss,
                (_, true) => Verdict::Gain,
                _ => Verdict::NoGainShown,
            };
            assert_eq!(against.verdict, Some(expected));
        }
    }
    // Falling curves reach a threshold from above.
    let transfer = &summary.overall[0];
    assert!(matches!(transfer.examples, Some(Reach::At(_) | Reach::By(_))), "{transfer:?}");
    // One seed: the test samples are drawn anew.
    c.arms.iter_mut().for_each(|arm| arm.runs.retain(|run| run.seed == 0));
    let summary = Summary::of(&c);
    let largest = summary.largest().expect("sizes");
    assert_eq!(largest.against[0].difference.map(|by| by.over), Some(Over::TestSamples(300)));
    // Without counts there is no interval, and nothing is claimed.
    c.arms.iter_mut().flat_map(|arm| &mut arm.runs).for_each(|run| run.counts.clear());
    let summary = Summary::of(&c);
    let against = &summary.largest().expect("sizes").against[0];
    assert!(against.difference.is_some() && against.verdict.is_none());
}

#[test]
fn no_common_seed_is_no_difference() {
    let c = small(&[(ArmKind::Transfer, &[(100, 0, 2)]), (ArmKind::Scratch, &[(100, 1, 2)])]);
    let against = Summary::of(&c).sizes[0].against[0].clone();
    assert_eq!((against.difference, against.verdict, against.jump_start), (None, None, None));
}

#[test]
fn a_size_without_the_transfer_is_left_out() {
    let c = small(&[(ArmKind::Transfer, &[(300, 0, 2)]), (ArmKind::Scratch, &[(100, 0, 2)])]);
    let sizes: Vec<_> = Summary::of(&c).sizes.iter().map(|at| at.size).collect();
    assert_eq!(sizes, [300]);
}

//! Order and ties.

use super::*;

/// A source of which every `wrong`-th of 100 samples is answered wrong, from `first` on.
fn source(name: &str, first: usize, wrong: usize, accuracies: &[f64]) -> Ranked {
    let correct: Vec<f64> =
        (0..100).map(|i| f64::from(i < first || !(i - first).is_multiple_of(wrong))).collect();
    Ranked {
        source: name.into(),
        family: "bert".into(),
        trained_on: "text".into(),
        embedder: if accuracies.len() > 1 { Origin::Fresh } else { Origin::Pretrained },
        logme: 0.5,
        logmes: vec![0.5; accuracies.len()],
        accuracy: mean(accuracies),
        accuracies: accuracies.to_vec(),
        standard_error: 0.01,
        tied: false,
        seconds: 1.,
        correct,
        chance: 0.1,
    }
}

#[test]
fn ties_are_by_the_samples_that_two_sources_differ_in() {
    // 10 wrong, 11 wrong of which 10 are the same, 11 wrong of which none is, 25 wrong.
    let best = source("best", 0, 10, &[0.9]);
    let mut near = source("near", 0, 10, &[0.89]);
    near.correct[1] = 0.;
    let other = source("other", 5, 9, &[0.89]);
    let far = source("far", 0, 4, &[0.75]);
    assert!(of_difference(&best, &near) < 0.011);
    assert!(of_difference(&best, &other) > 0.04);
    let mut ranked = [far, other, near, best];
    order(&mut ranked);
    let names: Vec<_> = ranked.iter().map(|r| r.source.as_str()).collect();
    assert_eq!(names[0], "best");
    assert_eq!(names[3], "far");
    assert_eq!(ranked.iter().map(|r| r.tied).collect::<Vec<_>>(), [true, true, true, false]);
}

#[test]
fn seeds_add_to_the_spread() {
    let best = source("best", 0, 10, &[0.9]);
    let far = source("far", 0, 4, &[0.75]);
    let unsure = source("unsure", 0, 4, &[0.55, 0.95, 0.75]);
    assert!(of_difference(&best, &unsure) > of_difference(&best, &far) + 0.05);
    let mut ranked = [unsure, best];
    order(&mut ranked);
    assert!(ranked[1].tied);
    let table = table(&ranked);
    assert!(table.contains("fresh × 3") && table.contains("within the spread"), "{table}");
    let notes = notes(&ranked, &[], 0.1);
    assert!(notes.contains("The best 2 cannot be told apart"), "{notes}");
}

#[test]
fn standard_errors_are_of_means() {
    assert_eq!(of_mean(&[0.5]), 0.);
    // Deviation 1, of three.
    assert!((of_mean(&[1., 2., 3.]) - 1. / 3.).abs() < 1e-12);
}

//! Against SciPy 1.17 and statsmodels 0.15.

use super::*;

fn near(got: f64, want: f64) -> bool {
    (got - want).abs() < 1e-9
}

fn assert_interval(got: Option<Interval>, low: f64, high: f64) {
    let Some(got) = got else { panic!("no interval") };
    assert!(near(got.low, low) && near(got.high, high), "{got:?}, not {low} to {high}");
}

/// `scipy.stats.t.ppf(0.975, freedom)`.
#[test]
fn students_t_is_scipys() {
    let table = [
        (1, 12.706204736174694),
        (2, 4.302652729749462),
        (3, 3.1824463052837078),
        (4, 2.7764451051977934),
        (5, 2.5705818356363146),
        (9, 2.262157162798205),
        (10, 2.228138851986274),
        (30, 2.0422724563012378),
        (99, 1.9842169515864174),
        (1000, 1.9623390808264083),
    ];
    for (freedom, want) in table {
        assert!(near(student_t(freedom), want), "{freedom}: {}", student_t(freedom));
    }
}

const TRANSFER: [f64; 5] = [0.754, 0.741, 0.768, 0.75, 0.762];
const SCRATCH: [f64; 5] = [0.634, 0.655, 0.612, 0.648, 0.701];

/// `scipy.stats.t.interval(0.95, 4, loc=mean, scale=scipy.stats.sem(x))`.
#[test]
fn a_mean_over_seeds_has_students_interval() {
    let Some(estimate) = Estimate::of_accuracy(&SCRATCH, 300) else { panic!() };
    assert!(near(estimate.mean, 0.65));
    assert_interval(estimate.interval, 0.6091475561697802, 0.69085244383022);
    assert_eq!(estimate.over, Over::Seeds(5));
}

/// `scipy.stats.ttest_rel(a, b).confidence_interval(0.95)`.
#[test]
fn a_difference_is_paired() {
    let pairs: Vec<_> = TRANSFER.into_iter().zip(SCRATCH).collect();
    let Some(difference) = Estimate::of_difference(&pairs, 300) else { panic!() };
    assert!(near(difference.mean, 0.105));
    assert_interval(difference.interval, 0.06052485043835645, 0.14947514956164357);
    assert_eq!(Verdict::of(&difference, false), Some(Verdict::Gain));
}

/// `scipy.stats.binomtest(k, n).proportion_ci(0.95, method="wilson")`.
#[test]
fn one_seed_has_wilsons_interval_of_the_test_set() {
    let table = [
        (291, 300, 0.943977460858359, 0.9841381461905677),
        (0, 40, 0.0, 0.08762160119728662),
        (40, 40, 0.9123783988027133, 1.0),
        (7, 9, 0.4525889691069889, 0.9367748928821533),
    ];
    for (right, samples, low, high) in table {
        let accuracy = f64::from(right) / samples as f64;
        let Some(estimate) = Estimate::of_accuracy(&[accuracy], samples) else { panic!() };
        assert_interval(estimate.interval, low, high);
        assert_eq!(estimate.over, Over::TestSamples(samples));
    }
}

/// `statsmodels.stats.proportion.confint_proportions_2indep(a, n, b, n, method="newcomb")`.
#[test]
fn one_pair_has_newcombes_interval_of_the_test_set() {
    let table = [
        (291, 280, 300, 0.0018709294864813764, 0.07354111678625243),
        (40, 40, 40, -0.08762160119728657, 0.08762160119728657),
        (0, 40, 40, -1.0, -0.8760843432299507),
        (150, 152, 300, -0.08611137378974762, 0.07289723426741833),
    ];
    for (a, b, samples, low, high) in table {
        let share = |right: i32| f64::from(right) / samples as f64;
        let Some(got) = Estimate::of_difference(&[(share(a), share(b))], samples) else { panic!() };
        assert_interval(got.interval, low, high);
    }
}

#[test]
fn seeds_that_agree_leave_the_interval_to_the_test_set() {
    let Some(estimate) = Estimate::of_accuracy(&[1.; 3], 40) else { panic!() };
    assert_interval(estimate.interval, 0.9123783988027133, 1.);
    let Some(difference) = Estimate::of_difference(&[(1., 0.7), (0.9, 0.6)], 40) else { panic!() };
    assert_eq!(difference.over, Over::TestSamples(40));
    assert!(near(difference.mean, 0.3));
}

#[test]
fn the_verdict_is_where_zero_lies() {
    let verdict = |low, high| {
        let interval = Some(Interval { low, high });
        Verdict::of(&Estimate { mean: 0., interval, over: Over::Seeds(3) }, false)
    };
    assert_eq!(verdict(0.01, 0.02), Some(Verdict::Gain));
    assert_eq!(verdict(-0.02, -0.01), Some(Verdict::Loss));
    assert_eq!(verdict(-0.01, 0.01), Some(Verdict::NoGainShown));
    assert_eq!(verdict(0., 0.01), Some(Verdict::NoGainShown));
    let alone = Estimate { mean: 0.3, interval: None, over: Over::Seeds(1) };
    assert_eq!(Verdict::of(&alone, false), None);
    assert_eq!(Estimate::of_difference(&[], 300), None);
    assert_eq!(Estimate::of_accuracy(&[], 300), None);
}

#[test]
fn an_interval_of_accuracies_stays_within_0_and_1() {
    let Some(estimate) = Estimate::of_accuracy(&[0.9, 1.], 300) else { panic!() };
    assert_interval(estimate.interval, 0.314_689_763_191_265, 1.);
}

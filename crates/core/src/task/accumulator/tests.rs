//! Metrics against scikit-learn's and SciPy's, by `xtask/scripts/fixtures/metrics.py`.

use super::*;
use crate::spec::Spec;
use crate::task::metrics::{ClassificationMetrics, MultiLabelMetrics, RegressionMetrics};
use crate::task::scale::TargetScale;
use crate::task::tests::spec;

fn near(got: f64, expected: f64) {
    assert!((got - expected).abs() < 1e-8, "{got}, expected {expected}");
}

/// The metrics of predictions `[B, answers]`, added in two batches.
fn accumulated(spec: &Spec, answers: &Tensor, targets: &[Target]) -> Metrics {
    let mut tally = MetricAccumulator::new(spec.task_config(), &Decoder::Greedy);
    for (from, to) in [(0, 2), (2, targets.len())] {
        let part = answers.narrow(0, from as i64, (to - from) as i64);
        tally.add(&Scores::Rows(part), targets[from..to].iter(), std::iter::repeat(None)).unwrap();
    }
    tally.finish()
}

#[test]
fn metrics_follow_from_the_confusion() {
    let e = ClassificationMetrics::of(vec![vec![8, 2], vec![1, 9]].into(), 0.5);
    assert_eq!(e.samples, 20);
    near(e.accuracy, 0.85);
    near(e.macro_f1, 0.849_624_060_150_376);
}

#[test]
fn metrics_of_labels_are_those_of_scikit_learn() {
    let probabilities = [
        [0.9, 0.2, 0.6, 0.1],
        [0.8, 0.6, 0.4, 0.1],
        [0.3, 0.7, 0.6, 0.2],
        [0.6, 0.1, 0.6, 0.1],
        [0.2, 0.9, 0.3, 0.3],
        [0.7, 0.4, 0.8, 0.2],
    ];
    let truth =
        [[1, 0, 1, 0], [1, 1, 1, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 0]];
    let targets = truth.map(|row| Target::Labels(row.map(|one| one == 1).to_vec()));
    let flat: Vec<f64> = probabilities.into_iter().flatten().collect();
    let answers = Tensor::from_slice(&flat).view([6, 4]).logit(None::<f64>).to_kind(Kind::Double);
    let spec = spec(Task::MultiLabel, &["a", "b", "c", "d"], vec![]);
    let e = accumulated(&spec, &answers, &targets);
    near(e.primary_metric(), 0.757_936_507_936_507_9);
    let Metrics::MultiLabel(e) = e else { panic!("{e:?}") };
    assert_eq!(e.samples, 6);
    near(e.exact_match, 1. / 6.);
    near(e.micro_f1, 0.761_904_761_904_761_9);
    near(e.mean_average_precision.unwrap(), 0.821_296_296_296_296_2);
    let cross_entropy = targets.iter().zip(probabilities).flat_map(|(target, row)| {
        let each = move |(at, p): (usize, f64)| -(if target.has(at) { p } else { 1. - p }).ln();
        row.into_iter().enumerate().map(each)
    });
    near(e.loss, cross_entropy.sum::<f64>() / 24.);
    for (label, (precision, recall, f1, average, support)) in e.labels.iter().zip([
        (0.75, 1., 6. / 7., Some(1.), 3),
        (2. / 3., 2. / 3., 2. / 3., Some(23. / 36.), 3),
        (0.75, 0.75, 0.75, Some(0.825), 4),
        (0., 0., 0., None, 0),
    ]) {
        near(label.precision, precision);
        near(label.recall, recall);
        near(label.f1, f1);
        assert_eq!(label.support, support);
        assert_eq!(label.average_precision.is_some(), average.is_some(), "{}", label.label);
        near(label.average_precision.unwrap_or(0.), average.unwrap_or(0.));
    }
}

#[test]
fn metrics_of_values_are_those_of_scikit_learn() {
    let scales = vec![TargetScale { mean: 2., std: 0.5 }, TargetScale { mean: 300., std: 50. }];
    let spec = spec(Task::Regression, &["a", "b"], scales);
    let answers = [[1.2, 300.], [2.9, 250.], [3.1, 260.], [2.9, 410.], [5.5, 380.]];
    let truth = [[1., 280.], [2., 300.], [4., 240.], [4., 400.], [5., 390.]];
    let flat: Vec<f64> =
        answers.iter().flat_map(|[a, b]| [(a - 2.) / 0.5, (b - 300.) / 50.]).collect();
    let targets = truth.map(|row| Target::Values(row.to_vec()));
    let e = accumulated(&spec, &Tensor::from_slice(&flat).view([5, 2]), &targets);
    near(e.primary_metric(), 0.766_632_791_327_913_3);
    assert_eq!(e.accuracy(), None);
    let Metrics::Regression(e) = e else { panic!("{e:?}") };
    near(e.mse, 350.312);
    near(e.mae, 11.36);
    // Computed in f32.
    assert!((e.loss - (0.624 / 0.25 + 700. / 2500.) / 2.).abs() < 1e-6, "{}", e.loss);
    for (value, (mse, mae, r2, pearson, spearman)) in e.values.iter().zip([
        (0.624, 0.72, 0.711_111_111_111_111_1, 0.849_386_722_359_610_1, 0.921_052_631_578_947_5),
        (700., 22., 0.822_154_471_544_715_4, 0.913_843_160_485_981_1, 0.7),
    ]) {
        near(value.mse, mse);
        near(value.mae, mae);
        near(value.r2, r2);
        near(value.pearson.unwrap(), pearson);
        near(value.spearman.unwrap(), spearman);
    }
    near(e.pearson.unwrap(), (0.849_386_722_359_610_1 + 0.913_843_160_485_981_1) / 2.);
    near(e.spearman.unwrap(), (0.921_052_631_578_947_5 + 0.7) / 2.);
}

#[test]
fn a_constant_has_no_correlation() {
    let column = |answers: [f64; 3], truth| ("x".to_string(), answers.to_vec(), truth);
    let same = RegressionMetrics::of(&[column([1., 2., 3.], vec![2.; 3])], 3, 0.);
    assert_eq!((same.r2, same.pearson, same.spearman), (0., None, None));
    assert_eq!(RegressionMetrics::of(&[column([2.; 3], vec![2.; 3])], 3, 0.).r2, 1.);
    // However the mean of many is rounded.
    for count in 1..40 {
        for value in [0.1, 2003.1, 1e-30, -1e30_f64] {
            let near = (0..count).map(|at| value + value.abs() * at as f64 / 100.).collect();
            let column = ("x".to_string(), near, vec![value; count]);
            let e = RegressionMetrics::of(&[column], count, 0.);
            let r2 = if count == 1 { 1. } else { 0. };
            assert_eq!((e.r2, e.pearson, e.spearman), (r2, None, None), "{count} of {value}");
        }
    }
    // As scikit-learn has it with `force_finite`.
    let none = MultiLabelMetrics::of(&[("x".into(), vec![0.1, 0.4], 0.5, vec![false; 2])], 2, 0.);
    assert_eq!((none.exact_match, none.macro_f1, none.mean_average_precision), (1., 0., None));
}

#[test]
fn a_file_holds_the_metrics_alone() {
    let e =
        Metrics::SingleLabel(ClassificationMetrics::of(vec![vec![1, 1], vec![0, 2]].into(), 0.25));
    let written = serde_json::to_string(&e).unwrap();
    assert!(
        written.starts_with(r#"{"samples":4,"accuracy":0.75,"loss":0.25,"macro_f1":"#)
            && written.ends_with(r#""confusion":[[1,1],[0,2]]}"#),
        "{written}"
    );
    let labels = MultiLabelMetrics::of(&[("x".into(), vec![0.1, 0.4], 0.5, vec![false; 2])], 2, 0.);
    let values = RegressionMetrics::of(&[("x".into(), vec![1., 2.], vec![2., 2.])], 2, 0.);
    for e in [e, Metrics::MultiLabel(labels), Metrics::Regression(values)] {
        let written = serde_json::to_string(&e).unwrap();
        assert_eq!(serde_json::from_str::<Metrics>(&written).unwrap(), e);
    }
}

//! Against netcal, SciPy and scikit-learn, by `xtask/scripts/fixtures/calibration.py`; and coverage.

use std::fs;

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use serde_json::json;
use tch::{Kind, Tensor};

use super::*;
use crate::spec::Spec;
use crate::task::ctc::Decoder;
use crate::task::tests::spec;
use crate::task::{MetricAccumulator, Metrics, Reliability, Scores, Target, Task};

fn fixture<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/calibration");
    serde_json::from_str(&fs::read_to_string(format!("{folder}/{name}.json")).unwrap()).unwrap()
}

#[derive(Deserialize)]
struct Expected {
    ece: f64,
    mce: f64,
    brier: f64,
    nll: f64,
    bins: Vec<(usize, f64, f64)>,
}

fn near(got: f64, expected: f64, what: &str) {
    assert!((got - expected).abs() < 1e-6, "{what}: {got}, expected {expected}");
}

impl Expected {
    fn check(&self, got: &Reliability) {
        near(got.ece, self.ece, "ECE");
        near(got.mce, self.mce, "MCE");
        near(got.brier, self.brier, "Brier");
        near(got.nll, self.nll, "NLL");
        assert_eq!(got.bins.len(), self.bins.len());
        for (got, &(forecasts, confidence, accuracy)) in got.bins.iter().zip(&self.bins) {
            assert_eq!(got.forecasts, forecasts);
            near(got.confidence, confidence, "confidence");
            near(got.accuracy, accuracy, "accuracy");
        }
    }
}

/// `[N, answers]`, f32.
fn tensor(rows: &[Vec<f32>]) -> Tensor {
    let flat: Vec<f32> = rows.iter().flatten().copied().collect();
    Tensor::from_slice(&flat).view([rows.len() as i64, -1])
}

/// The metrics of a calibrated model, added in two batches.
fn metrics(spec: &Spec, scores: &Tensor, targets: &[Target]) -> Metrics {
    let mut tally = MetricAccumulator::new(spec.task_config(), &Decoder::Greedy);
    for (from, to) in [(0, 7), (7, targets.len())] {
        let part = Scores::Rows(scores.narrow(0, from as i64, (to - from) as i64));
        tally.add(&part, targets[from..to].iter(), std::iter::repeat(None)).unwrap();
    }
    tally.finish()
}

fn fit(
    task: Task,
    scores: &Tensor,
    targets: &[Target],
    method: CalibrationMethod,
) -> Option<Calibration> {
    Calibration::fit(task, scores, targets.iter(), method, ThresholdMethod::BestF1).unwrap()
}

#[test]
fn classes_are_calibrated_as_by_netcal_and_scipy() {
    #[derive(Deserialize)]
    struct Classes {
        logits: Vec<Vec<f32>>,
        classes: Vec<usize>,
        temperature: f64,
        quantiles: std::collections::BTreeMap<String, f64>,
        before: Expected,
        after: Expected,
    }
    let of: Classes = fixture("classes");
    let targets: Vec<_> = of.classes.iter().map(|&class| Target::Class(class)).collect();
    // As a model's scores are: logarithms of probabilities, in f32.
    let scores = tensor(&of.logits).log_softmax(-1, Kind::Float);
    let fitted = fit(Task::SingleLabel, &scores, &targets, CalibrationMethod::Temperature).unwrap();
    near(fitted.temperature.unwrap(), of.temperature, "temperature");
    for (level, quantile) in of.quantiles {
        let sets = fitted.sets(level.parse().unwrap()).unwrap();
        near(-sets.least_probability().ln(), quantile, &level);
    }
    let labels = ["a", "b", "c", "d", "e"];
    let spec = Spec { calibration: Some(fitted), ..spec(Task::SingleLabel, &labels, vec![]) };
    let calibrated = metrics(&spec, &scores, &targets);
    let calibration = calibrated.calibration().unwrap();
    of.before.check(&calibration.uncalibrated);
    of.after.check(calibration.calibrated.as_ref().unwrap());
    // No answer changes, and neither do the loss and all that is counted.
    let plain = Spec { calibration: None, ..spec.clone() };
    let own = metrics(&plain, &scores, &targets);
    assert!(own.calibration().unwrap().calibrated.is_none());
    assert_eq!((own.accuracy(), own.loss()), (calibrated.accuracy(), calibrated.loss()));
    let [before, after] =
        [&plain, &spec].map(|spec| spec.task_config().probabilities(&scores).argmax(-1, false));
    assert_eq!(before, after);
}

#[test]
fn fewer_samples_tell_less_of_the_temperature() {
    #[derive(Deserialize)]
    struct Classes {
        logits: Vec<Vec<f32>>,
        classes: Vec<usize>,
    }
    let of: Classes = fixture("classes");
    let width = |count: usize| {
        let (scores, classes) = (tensor(&of.logits[..count]), &of.classes[..count]);
        let targets: Vec<_> = classes.iter().map(|&class| Target::Class(class)).collect();
        let fitted = fit(Task::SingleLabel, &scores, &targets, CalibrationMethod::Temperature);
        let fitted = fitted.unwrap();
        let (temperature, [low, high]) =
            (fitted.temperature.unwrap(), fitted.temperature_interval.unwrap());
        // The curvature of the likelihood of all samples, by differences.
        let column: Vec<i64> = classes.iter().map(|&class| class as i64).collect();
        let column = Tensor::from_slice(&column).unsqueeze(-1);
        let loss = |beta: f64| {
            let logs = (scores.to_kind(Kind::Double) * beta).log_softmax(-1, Kind::Double);
            -logs.gather(1, &column, false).sum(Kind::Double).double_value(&[])
        };
        let (beta, step) = (1. / temperature, 1e-4);
        let bend = (loss(beta + step) + loss(beta - step) - 2. * loss(beta)) / step.powi(2);
        let error = 1.96 / bend.sqrt() / beta;
        near(low.ln(), temperature.ln() - error, "low");
        near(high.ln(), temperature.ln() + error, "high");
        high.ln() - low.ln()
    };
    assert!(width(30) > width(120));
    // Of answers that hardly differ, it may be anything that is looked at: 101 of 200 are right.
    let scores = tensor(&vec![vec![0.01, 0.]; 200]);
    let targets: Vec<_> = (0..200).map(|at| Target::Class(usize::from(at >= 101))).collect();
    let fitted = fit(Task::SingleLabel, &scores, &targets, CalibrationMethod::Temperature).unwrap();
    near(fitted.temperature.unwrap(), 0.01 / (101f64 / 99.).ln(), "temperature");
    assert_eq!(fitted.temperature_interval, Some([0.05, 20.]));
}

#[test]
fn labels_are_calibrated_as_by_scipy_and_scikit_learn() {
    #[derive(Deserialize)]
    struct Labels {
        logits: Vec<Vec<f32>>,
        labels: Vec<Vec<u8>>,
        temperature: f64,
        thresholds: Vec<f64>,
        before: Expected,
        after: Expected,
    }
    let of: Labels = fixture("labels");
    let applies = |row: &Vec<u8>| Target::Labels(row.iter().map(|&one| one == 1).collect());
    let targets: Vec<_> = of.labels.iter().map(applies).collect();
    let scores = tensor(&of.logits);
    let fitted = fit(Task::MultiLabel, &scores, &targets, CalibrationMethod::Temperature).unwrap();
    near(fitted.temperature.unwrap(), of.temperature, "temperature");
    assert_eq!(fitted.thresholds.len(), 3);
    fitted.thresholds.iter().zip(&of.thresholds).for_each(|(&a, &b)| near(a, b, "threshold"));
    assert_eq!(fitted.thresholds[2], 0.5, "too few samples have it");
    assert!(fitted.sets(0.9).unwrap_err().to_string().contains("sets are of classes"));
    let bare = spec(Task::MultiLabel, &["a", "b", "c"], vec![]);
    let spec = Spec { calibration: Some(fitted), ..bare.clone() };
    let (own, with) = (metrics(&bare, &scores, &targets), metrics(&spec, &scores, &targets));
    let calibration = with.calibration().unwrap();
    of.before.check(&calibration.uncalibrated);
    of.after.check(calibration.calibrated.as_ref().unwrap());
    let (Metrics::MultiLabel(own), Metrics::MultiLabel(with)) = (own, with) else { panic!() };
    for (own, with) in own.labels.iter().zip(&with.labels) {
        assert!(with.f1 >= own.f1 && with.average_precision == own.average_precision);
    }
    assert!(with.macro_f1 > own.macro_f1);
}

#[test]
fn what_has_no_temperature_is_left_as_it_is() {
    let sure = Tensor::from_slice(&[3f32, 0., 0., 2.]).view([2, 2]);
    let right = [Target::Class(0), Target::Class(1)];
    let fitted = fit(Task::SingleLabel, &sure, &right, CalibrationMethod::Temperature).unwrap();
    assert_eq!(fitted.temperature, None, "the likelihood has no greatest value");
    assert_eq!(fitted.samples, 2);
    let wrong = [Target::Class(1), Target::Class(0)];
    let fitted = fit(Task::SingleLabel, &sure, &wrong, CalibrationMethod::Temperature).unwrap();
    assert_eq!(fitted.temperature, Some(20.), "it knows less than nothing");
    assert_eq!(fitted.temperature_interval, None);
    let fitted = fit(Task::SingleLabel, &sure, &wrong, CalibrationMethod::None).unwrap();
    assert_eq!((fitted.temperature, fitted.conformal.is_some()), (None, true));
    assert_eq!(fit(Task::SingleLabel, &sure, &[], CalibrationMethod::Temperature), None);
    let values = [Target::Values(vec![1.]), Target::Values(vec![2.])];
    assert_eq!(fit(Task::Regression, &sure, &values, CalibrationMethod::Temperature), None);
}

/// Classes drawn by probabilities of which the model is too sure, and its scores.
fn drawn(samples: usize, rng: &mut ChaCha8Rng) -> (Tensor, Vec<Target>) {
    let (mut logits, mut targets) = (vec![], vec![]);
    for _ in 0..samples {
        let own: Vec<f64> = (0..4).map(|_| 3. * (rng.random::<f64>() - 0.5)).collect();
        let mut left = rng.random::<f64>() * own.iter().map(|z| z.exp()).sum::<f64>();
        let class = own.iter().position(|z| {
            left -= z.exp();
            left <= 0.
        });
        targets.push(Target::Class(class.unwrap_or(3)));
        logits.extend(own.into_iter().map(|z| 2.5 * z as f32));
    }
    (Tensor::from_slice(&logits).view([-1, 4]).log_softmax(-1, Kind::Float), targets)
}

#[test]
fn sets_hold_the_right_class_as_often_as_they_say() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let (scores, targets) = drawn(4000, &mut rng);
    let bare = spec(Task::SingleLabel, &["a", "b", "c", "d"], vec![]);
    for level in [0.8, 0.9, 0.95] {
        let mut coverage = vec![];
        for _ in 0..20 {
            let mut order: Vec<i64> = (0..4000).collect();
            order.shuffle(&mut rng);
            let (one, other) = order.split_at(1000);
            let part = |at: &[i64]| scores.index_select(0, &Tensor::from_slice(at));
            let truth =
                |at: &[i64]| at.iter().map(|&at| targets[at as usize].clone()).collect::<Vec<_>>();
            let method = CalibrationMethod::Temperature;
            let fitted = fit(Task::SingleLabel, &part(one), &truth(one), method).unwrap();
            assert!((fitted.temperature.unwrap() - 2.5).abs() < 0.4, "{:?}", fitted.temperature);
            let sets = fitted.sets(level).unwrap();
            let spec = Spec { calibration: Some(fitted), ..bare.clone() };
            let found =
                crate::predict::answers(spec.task_config(), &Scores::Rows(part(other))).unwrap();
            let is_right = |(answer, target): &(&crate::predict::Answer, &Target)| {
                let crate::predict::Answer::Classes(ranked) = answer else { panic!() };
                sets.of(ranked).iter().any(|&(class, _)| Some(class) == target.class())
            };
            let truth = truth(other);
            let right = found.iter().zip(&truth).filter(is_right).count();
            coverage.push(right as f64 / other.len() as f64);
        }
        let mean = coverage.iter().sum::<f64>() / 20.;
        assert!((mean - level).abs() < 0.01, "{level}: {mean}");
    }
}

#[test]
fn a_level_needs_enough_samples() {
    let of = |n: usize| ConformalScores::of((0..n).rev().map(|at| at as f64).collect());
    let most = |n, level| of(n).sets(level).map(|sets| -sets.least_probability().ln());
    // Of 19, ⌈20 · 0.95⌉ = 19: the last.
    assert_eq!(most(19, 0.95).unwrap().round(), 18.);
    assert_eq!(most(19, 0.55).unwrap().round(), 10., "20 · 0.55 is 11");
    let said = most(18, 0.95).unwrap_err().to_string();
    assert!(said.starts_with("--set: 0.95: the validation split had 18 samples"), "{said}");
    assert!(said.contains("needs at least 19; ask for 0.94 or less"), "{said}");
    assert!(most(18, 0.94).is_ok());
    for level in [0., 1., -1., f64::NAN] {
        assert!(most(100, level).unwrap_err().is_usage_error());
    }
}

#[test]
fn of_many_scores_some_are_kept() {
    let small = ConformalScores::of((0..25_000).map(|at| f64::from(at) / 1e4).collect());
    small.validate().unwrap();
    for level in [0.1, 0.5, 0.9, 0.999] {
        let most = -small.sets(level).unwrap().least_probability().ln() * 1e4;
        let exact = (25_001. * level).ceil() - 1.;
        assert!((-1e-6..3.).contains(&(most - exact)), "{level}: {most}, exactly {exact}");
    }
}

#[test]
fn a_broken_file_is_told() {
    let whole = json!({
        "format": 1, "samples": 3, "temperature": 1.5,
        "conformal": {"samples": 3, "scores": [0.1, 0.2, 0.3]}
    });
    let check = |path: &str, value: serde_json::Value, task| {
        let mut json = whole.clone();
        *json.pointer_mut(path).unwrap() = value;
        let fitted: Calibration = serde_json::from_value(json).unwrap();
        fitted.validate(task, 2).err().map(|e| e.to_string())
    };
    let task = Task::SingleLabel;
    assert_eq!(check("/temperature", json!(2), task), None);
    for (path, value, said) in [
        ("/format", json!(2), "update crosstune"),
        ("/temperature", json!(0), "must be above 0"),
        ("/conformal/samples", json!(4), "expected 4"),
        ("/conformal/scores", json!([0.1, 0.3, 0.2]), "grow"),
    ] {
        let told = check(path, value, task).unwrap_or_default();
        assert!(told.contains(said), "{path}: {told}");
    }
    assert!(check("/format", json!(1), Task::Tagging).unwrap().contains("no sets"));
    let thresholds = json!({"format": 1, "samples": 3, "thresholds": [0.5]});
    let fitted: Calibration = serde_json::from_value(thresholds).unwrap();
    assert!(fitted.validate(Task::MultiLabel, 2).unwrap_err().to_string().contains("2 labels"));
    fitted.validate(Task::MultiLabel, 1).unwrap();
}

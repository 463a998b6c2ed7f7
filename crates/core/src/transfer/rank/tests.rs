//! LogME and the probe against independent computations, on features that are written down as a
//! formula.

use tch::{Device, Kind, Tensor};

use super::logistic::Logistic;
use super::logme::logme;
use super::probe::probe;

// use super::*;

/// `sin(0.7 i (j + 1) + 0.3 j) + shift · cos(2 (i mod classes) + 1.3 j)`, and `i mod classes`.
fn case(samples: i64, width: i64, classes: i64, shift: f64) -> (Tensor, Vec<i64>) {
    let double = (Kind::Double, Device::Cpu);
    let i = Tensor::arange(samples, double).unsqueeze(1);
    let j = Tensor::arange(width, double).unsqueeze(0);
    let targets: Vec<i64> = (0..samples).map(|i| i % classes).collect();
    let class = Tensor::from_slice(&targets).to_kind(Kind::Double).unsqueeze(1);
    let wave: Tensor = (&i * 0.7 * (&j + 1.) + &j * 0.3).sin();
    (wave + (class * 2. + j * 1.3).cos() * shift, targets)
}

/// Against the maximum over both precisions that Nelder-Mead finds (SciPy) of the evidence as
/// Bishop (2006, §3.5.1) has it, by the determinant of the whole D × D matrix.
#[test]
fn logme_is_the_maximum_evidence() {
    for (samples, width, shift, want) in [
        (30, 5, 0.6, -0.782_626_246_948_612_8),
        (12, 20, 0.6, -0.234_222_032_158_827_4),
        (30, 5, 0., -0.776_830_415_473_618),
    ] {
        let (features, targets) = case(samples, width, 3, shift);
        let got = logme(&features, &targets, 3).unwrap();
        assert!((got - want).abs() < 1e-6, "{samples} × {width}: {got}, not {want}");
        let scaled = logme(&(features * 100.), &targets, 3).unwrap();
        assert!((got - scaled).abs() < 1e-8, "{got} became {scaled}");
    }
}

#[test]
fn features_that_are_not_finite_are_an_error() {
    let (features, targets) = case(12, 4, 3, 0.6);
    assert!(logme(&(features * f64::NAN), &targets, 3).is_err());
}

/// Against `sklearn.linear_model.LogisticRegression(C=1 / (30 * l2), tol=1e-12)` on
/// standardised features: its `coef_` transposed, and its `intercept_`.
#[test]
fn the_classifier_is_scikit_learns() {
    let (features, targets) = case(30, 4, 3, 0.6);
    for (l2, want) in [
        (
            0.1,
            [
                [0.565_938_979, -0.299_830_669, -0.266_108_31],
                [0.231_706_649, -0.304_357_26, 0.072_650_611],
                [0.248_783_349, 0.901_928_328, -1.150_711_678],
                [-0.423_360_292, 0.318_212_119, 0.105_148_173],
                [0.064_611_167, 0.053_322_493, -0.117_933_661],
            ],
        ),
        (
            0.001,
            [
                [2.073_808_222, -1.677_468_156, -0.396_340_066],
                [1.400_584_634, -1.291_556_523, -0.109_028_111],
                [-1.200_807_89, 6.768_824_499, -5.568_016_609],
                [-1.176_562_969, 0.617_228_465, 0.559_334_505],
                [0.849_455_981, -1.249_496_722, 0.400_040_741],
            ],
        ),
    ] {
        let fitted = Logistic::fit(&features, &targets, 3, l2, None);
        let off = (fitted.weights() - Tensor::from_slice2(&want)).abs().max().double_value(&[]);
        // The search ends where the gradient is below 1e-6; curvature is at least `l2`.
        assert!(off < 1e-6 / l2, "l2 {l2}: off by {off}");
        // From another start, the same.
        let strong = Logistic::fit(&features, &targets, 3, 1., None);
        let warm = Logistic::fit(&features, &targets, 3, l2, Some(&strong));
        let off = (warm.scores(&features) - fitted.scores(&features)).abs().max();
        assert!(off.double_value(&[]) < 1e-2, "l2 {l2}");
    }
}

#[test]
fn the_probe_finds_separable_classes() {
    let parts: Vec<usize> = (0..120).map(|i| i / 3 % 4).collect();
    let (features, targets) = case(120, 6, 3, 4.);
    let clear = probe(&features, &targets, 3, &parts).unwrap();
    assert_eq!((clear.accuracy, clear.standard_error), (1., 0.));
    // A fifth of the labels are wrong.
    let wrong: Vec<i64> =
        targets.iter().zip(0..).map(|(t, i)| (t + i64::from(i % 5 == 0)) % 3).collect();
    let some = probe(&features, &wrong, 3, &parts).unwrap();
    assert!(some.accuracy > 0.7 && some.accuracy < 0.85, "{some:?}");
    let correct = some.correct.iter().filter(|&&correct| correct).count();
    assert!((some.accuracy - correct as f64 / 120.).abs() < 1e-12);
    // The mean over the folds, and its standard error, by hand.
    let mean = some.folds.iter().sum::<f64>() / 4.;
    assert!((mean - some.accuracy).abs() < 1e-12, "folds of one size: {some:?}");
    let variance = some.folds.iter().map(|f| (f - mean).powi(2)).sum::<f64>() / 3.;
    assert!((some.standard_error - (variance / 4.).sqrt()).abs() < 1e-12);
    // Labels that do not depend on the features: chance, within three standard errors.
    let (noise, _) = case(120, 6, 3, 0.);
    let shuffled: Vec<i64> = (0..120).map(|i| i * i * i / 7 % 3).collect();
    let chance = probe(&noise, &shuffled, 3, &parts).unwrap();
    assert!(chance.accuracy < 0.5, "{chance:?}");
}

#[test]
fn too_few_folds_are_named() {
    let (features, targets) = case(12, 4, 3, 0.6);
    let parts: Vec<usize> = (0..12).map(|i| i % 2).collect();
    let error = probe(&features, &targets, 3, &parts).unwrap_err().to_string();
    assert!(error.starts_with("--folds: ") && error.contains("2 folds"), "{error}");
}

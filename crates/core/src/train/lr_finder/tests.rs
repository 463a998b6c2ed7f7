//! What is read from curves whose shape is known, and when a sweep ends.

use super::*;

/// The loss falls from 2 to 0.5 in about a decade around `at`, and diverges beyond a hundred times
/// that.
fn loss(rate: f64, at: f64) -> f64 {
    0.5 + 1.5 / (1. + (rate / at).powi(2)) + (rate / at / 100.).powi(2)
}

/// A sweep over losses, until it ends.
fn swept(from: f64, to: f64, steps: usize, loss: impl Fn(f64) -> f64) -> LrCurve {
    let mut sweep = Sweep::new(rates(from, to, steps).unwrap(), 1);
    while sweep.is_on() {
        sweep.add(loss(sweep.rate()), 8);
        if sweep.burst() {
            sweep.end = Some(SweepEnd::Diverged);
        }
    }
    sweep.curve()
}

#[test]
fn the_steepest_and_the_least_are_where_they_are() {
    for at in [1e-4, 1e-3] {
        let curve = swept(1e-7, 10., 400, |rate| loss(rate, at));
        assert_eq!(curve.end, SweepEnd::Diverged);
        // The moving average lags by ten steps; a decade has fifty.
        let steepest = curve.steepest.unwrap();
        assert!((0.7 * at..2.5 * at).contains(&steepest), "{steepest:e}, not {at:e}");
        let least = curve.tenth_of_least.unwrap() * 10.;
        assert!((10. * at..60. * at).contains(&least), "{least:e}");
        let last = curve.points.last().unwrap();
        let smallest = curve.points.iter().map(|p| p.smooth).fold(f64::INFINITY, f64::min);
        assert!(last.smooth > 4. * smallest);
        let before = &curve.points[curve.points.len() - 2];
        assert!(before.smooth <= 4. * smallest, "it ends at once");
    }
}

#[test]
fn noise_does_not_hide_the_fall() {
    let noisy = |rate: f64| loss(rate, 1e-3) + 0.2 * (rate.ln() * 1e4).sin();
    let curve = swept(1e-7, 10., 100, noisy);
    let steepest = curve.steepest.unwrap();
    assert!((3e-4..1e-2).contains(&steepest), "{steepest:e}");
}

#[test]
fn the_smoothed_loss_is_not_biased_by_its_start() {
    let curve = swept(1e-4, 1e-1, 20, |_| 3.);
    assert_eq!(curve.points.len(), 20);
    assert!(curve.points.iter().all(|point| (point.smooth - 3.).abs() < 1e-9));
    let mut sweep = Sweep::new(rates(1e-4, 1e-1, 20).unwrap(), 1);
    sweep.add(1., 8);
    sweep.add(2., 8);
    let smooth = sweep.points[1].smooth;
    assert!((smooth - (0.9 * 1. + 2.) / 1.9).abs() < 1e-12, "{smooth}");
}

#[test]
fn nothing_is_suggested_where_nothing_falls() {
    let flat = swept(1e-4, 1e-1, 40, |_| 1.);
    assert_eq!((flat.steepest, flat.tenth_of_least, flat.end), (None, None, SweepEnd::Last));
    let rising = swept(1e-4, 1e-1, 40, |rate| 1. + rate);
    assert_eq!((rising.steepest, rising.tenth_of_least), (None, None));
}

#[test]
fn several_batches_make_a_step() {
    let mut sweep = Sweep::new(rates(1e-4, 1e-1, 20).unwrap(), 2);
    assert_eq!(sweep.batches_left(), 40);
    sweep.add(1., 8);
    assert_eq!((sweep.points.len(), sweep.batches_left()), (0, 39));
    sweep.add(4., 4);
    assert_eq!((sweep.points.len(), sweep.batches_left()), (1, 38));
    assert_eq!(sweep.points[0].loss, 2., "by samples");
}

//! Learning curves: the area under one, and where it reaches a threshold.

use serde::Serialize;

/// Where a curve reaches a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reach {
    /// It is there at its first point already: here or before.
    By(f64),
    /// Here, between two points.
    At(f64),
    /// Nowhere up to its last point.
    NotUpTo(f64),
}

/// The area under a curve of accuracy by the trapezoid rule, over the length of its base: a mean
/// accuracy, 0 to 1. None without two points; `x` grows.
pub fn area(curve: &[(f64, f64)]) -> Option<f64> {
    let (first, last) = (curve.first()?, curve.last()?);
    let base = last.0 - first.0;
    let area: f64 = curve.windows(2).map(|p| (p[1].0 - p[0].0) * (p[0].1 + p[1].1) / 2.).sum();
    (base > 0.).then(|| area / base)
}

/// The same over the logarithm of the training size, so that each doubling counts alike.
pub fn area_over_size(curve: &[(f64, f64)]) -> Option<f64> {
    let logarithmic: Vec<_> = curve.iter().map(|&(size, accuracy)| (size.ln(), accuracy)).collect();
    area(&logarithmic)
}

/// Where a curve first reaches the threshold, on the straight line between two points. None
/// without a point; `x` grows.
pub fn reach(curve: &[(f64, f64)], threshold: f64) -> Option<Reach> {
    // A mean over seeds is off by a rounding or so.
    let there = |y: f64| y >= threshold - 1e-12;
    let &(first, accuracy) = curve.first()?;
    if there(accuracy) {
        return Some(Reach::By(first));
    }
    let crossing = curve.windows(2).find(|pair| there(pair[1].1));
    Some(match crossing {
        Some(pair) => {
            let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
            let fraction = ((threshold - y0) / (y1 - y0)).min(1.);
            Reach::At(x0 + fraction * (x1 - x0))
        }
        None => Reach::NotUpTo(curve.last()?.0),
    })
}

/// The same on the straight line over the logarithm of the training size.
pub fn reach_over_size(curve: &[(f64, f64)], threshold: f64) -> Option<Reach> {
    let logarithmic: Vec<_> = curve.iter().map(|&(size, accuracy)| (size.ln(), accuracy)).collect();
    Some(match reach(&logarithmic, threshold)? {
        Reach::By(log) => Reach::By(log.exp()),
        Reach::At(log) => Reach::At(log.exp()),
        Reach::NotUpTo(log) => Reach::NotUpTo(log.exp()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: Option<f64>, want: f64) -> bool {
        got.is_some_and(|got| (got - want).abs() < 1e-12)
    }

    /// Against `numpy.trapezoid(y, x) / (x[-1] - x[0])`.
    #[test]
    fn the_area_is_numpys() {
        let epochs = [(1., 0.31), (2., 0.52), (5., 0.71), (12., 0.84)];
        assert!(near(area(&epochs), 0.698_636_363_636_363_6));
        let sizes = [(100., 0.634), (300., 0.754), (2700., 0.971)];
        assert!(near(area_over_size(&sizes), 0.806_333_333_333_333_4));
        assert_eq!(area(&epochs[..1]), None);
        assert_eq!(area(&[]), None);
    }

    /// Against `numpy.interp(threshold, y, x)`.
    #[test]
    fn a_threshold_is_reached_between_two_points() {
        let epochs = [(1., 0.31), (2., 0.52), (5., 0.71), (12., 0.84)];
        let Some(Reach::At(epoch)) = reach(&epochs, 0.6) else { unreachable!() };
        assert!((epoch - 3.263_157_894_736_842).abs() < 1e-12);
        assert_eq!(reach(&epochs, 0.31), Some(Reach::By(1.)));
        assert_eq!(reach(&epochs, 0.84), Some(Reach::At(12.)));
        assert_eq!(reach(&epochs, 0.85), Some(Reach::NotUpTo(12.)));
        assert_eq!(reach(&[], 0.5), None);
    }

    #[test]
    fn half_way_between_sizes_is_their_geometric_mean() {
        let Some(Reach::At(size)) = reach_over_size(&[(100., 0.6), (400., 0.8)], 0.7) else {
            unreachable!()
        };
        assert!((size - 200.).abs() < 1e-9);
    }

    #[test]
    fn a_curve_that_falls_again_counts_from_where_it_first_was() {
        assert_eq!(reach(&[(1., 0.), (2., 1.), (3., 0.)], 1.), Some(Reach::At(2.)));
    }
}

//! Gauss and Legendre's rule for integrals.

use std::f64::consts::PI;

/// The points and weights for the integral from 0 to 1: exact for polynomials of a degree below `2 n`
/// (Golub and Welsch 1969). The points are the roots of Legendre's polynomial, found by Newton's method.
pub(super) fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    let point = |i: usize| {
        // Tricomi's first guess is near enough for it to converge to the i-th root.
        let mut x = (PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
        let mut slope = 1.;
        for _ in 0..100 {
            let (value, derivative) = legendre(n, x);
            slope = derivative;
            let step = value / derivative;
            x -= step;
            if step.abs() < 1e-15 {
                break;
            }
        }
        ((1. - x) / 2., 1. / ((1. - x * x) * slope * slope))
    };
    (0..n).map(point).collect()
}

/// Legendre's polynomial of degree `n` at `x`, and its derivative.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut before, mut value) = (1., x);
    if n == 0 {
        return (1., 0.);
    }
    for k in 2..=n {
        let k = k as f64;
        (before, value) = (value, ((2. * k - 1.) * x * value - (k - 1.) * before) / k);
    }
    (value, n as f64 * (x * value - before) / (x * x - 1.))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_are_integrated_exactly() {
        for n in [1, 2, 3, 7, 50, 64] {
            let rule = gauss_legendre(n);
            for degree in 0..2 * n {
                let sum: f64 = rule.iter().map(|(x, w)| w * x.powi(degree as i32)).sum();
                let exact = 1. / (degree as f64 + 1.);
                assert!((sum - exact).abs() < 1e-13, "{n} points, degree {degree}: {sum}");
            }
            let beyond: f64 = rule.iter().map(|(x, w)| w * x.powi(2 * n as i32)).sum();
            assert!(n > 7 || (beyond - 1. / (2. * n as f64 + 1.)).abs() > 1e-13, "{n}");
        }
        // numpy.polynomial.legendre.leggauss(3), brought to the interval from 0 to 1.
        let want = [(0.112_701_665_379_258_3, 5. / 18.), (0.5, 4. / 9.)];
        for ((x, w), (at, weight)) in gauss_legendre(3).into_iter().zip(want) {
            assert!((x - at).abs() < 1e-14 && (w - weight).abs() < 1e-14, "{x} {w}");
        }
    }
}

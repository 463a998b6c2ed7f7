//! Means and spreads that rounding does not change.

/// The mean. That of equal numbers is the number itself.
pub(super) fn mean(numbers: impl Iterator<Item = f64> + Clone) -> f64 {
    let Some(first) = numbers.clone().next() else { return 0. };
    let count = numbers.clone().count() as f64;
    first + numbers.map(|x| (x - first) / count).sum::<f64>()
}

/// The distance of the greatest from the least; 0 where all are equal but for the rounding of
/// numbers of their magnitude.
pub(super) fn spread(numbers: impl Iterator<Item = f64> + Clone) -> f64 {
    let (least, greatest) = numbers
        .clone()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), x| (least.min(x), most.max(x)));
    let magnitude = least.abs().max(greatest.abs());
    let spread = greatest - least;
    if spread > 4. * f64::EPSILON * magnitude { spread } else { 0. }
}

/// The standard deviation (of the population); 0 where [`spread`] is.
pub(super) fn std(numbers: impl Iterator<Item = f64> + Clone) -> f64 {
    let spread = spread(numbers.clone());
    if spread == 0. || !spread.is_finite() {
        return spread;
    }
    // Squares of numbers from -1 to 1 neither overflow nor vanish.
    let middle = mean(numbers.clone());
    spread * mean(numbers.map(|x| ((x - middle) / spread).powi(2))).sqrt()
}

/// A number in full, or with an exponent where it would have many zeros.
pub(super) fn written(x: f64) -> String {
    match x.abs() {
        size if size == 0. || (1e-5..1e16).contains(&size) => x.to_string(),
        _ => format!("{x:e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_have_no_spread_however_many_they_are() {
        for value in [0.1, 3.5, 2003., -1e30, 1e-30, 1e300, 0., 7.3e-308] {
            for count in 1..100 {
                let same = std::iter::repeat_n(value, count);
                assert_eq!((mean(same.clone()), std(same)), (value, 0.), "{count} of {value}");
            }
        }
        let rounded = [0.1 + 0.2, 0.3, 0.3];
        assert_eq!(spread(rounded.iter().copied()), 0.);
        assert!(std([1e9, 1e9 + 1e-3].into_iter()) > 4e-4);
    }

    #[test]
    fn spreads_are_those_of_numpy_at_any_magnitude() {
        // numpy.std([3, 1, 4, 1, 5, 9])
        for unit in [1., 1e-200, 1e150, 1e-300] {
            let numbers = [3., 1., 4., 1., 5., 9.].map(|x| x * unit);
            let off = std(numbers.into_iter()) / unit - 2.733_536_577_809_454_4;
            assert!(off.abs() < 1e-12, "{unit}: {off}");
        }
    }

    #[test]
    fn numbers_are_written_shortly() {
        let all = [0., 3.5, -0.001, 5e-324, 1e300, 2003.].map(written);
        assert_eq!(all, ["0", "3.5", "-0.001", "5e-324", "1e300", "2003"]);
    }
}

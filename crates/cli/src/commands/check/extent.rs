//! The extent of numbers: the least, the median and the greatest.

use serde::Serialize;

/// The least, the median and the greatest of some numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Extent {
    least: f64,
    median: f64,
    greatest: f64,
}

impl Extent {
    /// The extent of numbers; `None`: there are none.
    pub(super) fn of(mut numbers: Vec<f64>) -> Option<Self> {
        numbers.sort_by(f64::total_cmp);
        let (&least, &greatest) = (numbers.first()?, numbers.last()?);
        Some(Self { least, median: numbers[numbers.len() / 2], greatest })
    }

    /// `1 to 3 seconds, median 2`.
    pub(super) fn shown(&self, unit: &str) -> String {
        let number = |x: f64| if x.fract() == 0. { format!("{x}") } else { format!("{x:.2}") };
        let [least, median, greatest] = [self.least, self.median, self.greatest].map(number);
        let most = format!("{greatest} {unit}");
        format!("{least} to {}, median {median}", most.trim_end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_summarised() {
        assert_eq!(Extent::of(vec![]), None);
        let of = Extent::of(vec![3., 1., 2.]).unwrap();
        assert_eq!(of, Extent { least: 1., median: 2., greatest: 3. });
        assert_eq!(of.shown("seconds"), "1 to 3 seconds, median 2");
        assert_eq!(Extent::of(vec![0.5]).unwrap().shown(""), "0.50 to 0.50, median 0.50");
    }
}

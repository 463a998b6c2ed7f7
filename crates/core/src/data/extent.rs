//! How long inputs are, and how much of them a model takes.

use serde::Serialize;

/// One input: how long it is, in the unit of
/// [`Modality::EXTENT`](crate::modality::Modality::EXTENT), and how much of it a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Extent {
    /// Its whole length.
    pub whole: f64,
    /// How much of it is taken, in one piece or in windows.
    pub taken: f64,
    /// How much the model takes at once.
    pub at_once: f64,
}

/// Many inputs together, in the same unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Coverage {
    /// The unit, in the plural: `seconds`, `tokens`.
    pub unit: &'static str,
    /// The number of inputs.
    pub inputs: usize,
    /// How many are longer than what a model takes at once.
    pub longer: usize,
    /// Of how many a part is left out.
    pub cut: usize,
    /// The fraction of the length of all inputs together that is left out.
    pub left_out: f64,
    /// The most that is left out of one input.
    pub most_left_out: f64,
    /// The length that 95 % of the inputs do not exceed.
    pub usual: f64,
    /// The length of the longest.
    pub longest: f64,
    /// How much the model takes at once.
    pub at_once: f64,
}

impl Coverage {
    /// The extents of many inputs together; `None`: there are none.
    pub fn of(unit: &'static str, extents: &[Extent]) -> Option<Self> {
        let mut lengths: Vec<f64> = extents.iter().map(|extent| extent.whole).collect();
        lengths.sort_by(f64::total_cmp);
        let lost = |extent: &Extent| (extent.whole - extent.taken).max(0.);
        let (whole, left_out): (f64, f64) = (lengths.iter().sum(), extents.iter().map(lost).sum());
        Some(Self {
            unit,
            inputs: extents.len(),
            longer: extents.iter().filter(|extent| extent.whole > extent.at_once).count(),
            cut: extents.iter().filter(|extent| lost(extent) > 0.).count(),
            left_out: if whole > 0. { left_out / whole } else { 0. },
            most_left_out: extents.iter().map(lost).fold(0., f64::max),
            usual: lengths[(lengths.len() * 95).div_ceil(100).checked_sub(1)?],
            longest: *lengths.last()?,
            at_once: extents.first()?.at_once,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted() {
        let of = |whole: f64, taken: f64| Extent { whole, taken, at_once: 2. };
        let all = [of(5., 2.), of(1., 1.), of(4., 4.)];
        let coverage = Coverage::of("seconds", &all).unwrap();
        assert_eq!((coverage.inputs, coverage.longer, coverage.cut), (3, 2, 1));
        assert_eq!((coverage.left_out, coverage.most_left_out), (0.3, 3.));
        assert_eq!((coverage.usual, coverage.longest, coverage.at_once), (5., 5., 2.));
        assert_eq!(Coverage::of("seconds", &[]), None);
        assert_eq!(Coverage::of("tokens", &[of(0., 0.)]).unwrap().left_out, 0.);
    }
}

//! Intervals.

use serde::Serialize;

/// The confidence of all intervals.
pub const CONFIDENCE: f64 = 0.95;

/// The quantile at which an interval's upper end lies, as much being left out above as below.
pub(crate) const UPPER: f64 = (1. + CONFIDENCE) / 2.;

/// A closed interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// The part within 0 and 1, where every accuracy lies.
    pub fn clipped(self) -> Self {
        Self { low: self.low.clamp(0., 1.), high: self.high.clamp(0., 1.) }
    }
}

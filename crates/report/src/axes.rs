//! The axes of a chart: where values lie in a picture, and which of them have labels.

/// Values from end to end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// The distance of two that have a label; the lowest has one.
    pub step: f64,
}

impl Range {
    /// The values that have a label.
    pub fn ticks(&self) -> Vec<f64> {
        let count = ((self.high - self.low) / self.step).round() as usize;
        (0..=count).map(|tick| self.low + tick as f64 * self.step).collect()
    }
}

/// Where the plot's area begins and ends, in the picture's own units, which count from above.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// The left side.
    pub left: f64,
    /// The right side.
    pub right: f64,
    /// The upper side.
    pub top: f64,
    /// The lower side.
    pub bottom: f64,
}

/// Two axes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axes {
    /// The values at the left and at the right end.
    pub across: (f64, f64),
    /// Whether those lie by their logarithms.
    pub logarithmic: bool,
    /// The values from the bottom to the top.
    pub up: Range,
    /// Where all these ends lie.
    pub area: Area,
}

impl Axes {
    /// How far to the right a value lies: in the middle, if it is the only one.
    pub fn x(&self, value: f64) -> f64 {
        let along = |value: f64| if self.logarithmic { value.ln() } else { value };
        let (low, high) = (along(self.across.0), along(self.across.1));
        let fraction = if high > low { (along(value) - low) / (high - low) } else { 0.5 };
        self.area.left + fraction * (self.area.right - self.area.left)
    }

    /// How far down a value lies. Far outside is as good as outside.
    pub fn y(&self, value: f64) -> f64 {
        let fraction = (value - self.up.low) / (self.up.high - self.up.low);
        self.area.bottom - fraction.clamp(-1., 2.) * (self.area.bottom - self.area.top)
    }
}

/// The next larger of 1, 2 and 5 times a power of ten.
pub fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    let step = [1., 2., 5.].into_iter().find(|step| step * power >= least * (1. - 1e-9));
    step.unwrap_or(10.) * power
}

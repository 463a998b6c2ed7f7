//! What makes a model's probabilities ones to act by, from its scores of samples that it was not
//! trained on: a temperature, thresholds of labels, and sets of classes with a coverage.

// The file of the one type is called as its folder is.
#[allow(clippy::module_inception)]
mod calibration;
mod conformal;
mod temperature;
mod thresholds;
#[cfg(test)]
mod tests;

pub use calibration::{Calibration, CalibrationMethod, ThresholdMethod};
pub use conformal::{ConformalScores, PredictionSets};

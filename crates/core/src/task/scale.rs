//! Regression targets in standard deviations from their mean.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use super::numbers;
use super::target::Target;
use crate::error::{Error, Result};

/// The mean and standard deviation of a value in the training split. A model predicts in standard
/// deviations from the mean, so that all values count alike in the loss.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetScale {
    /// In the value's unit.
    pub mean: f64,
    /// The standard deviation (of the population), in the value's unit.
    #[serde(alias = "deviation")]
    pub std: f64,
}

impl TargetScale {
    /// Measures each value on the targets of the training samples; empty where they have none.
    ///
    /// # Errors
    /// If a value is constant. `names` are what the values are called.
    pub fn of(train: &[Target], names: &[String]) -> Result<Vec<Self>> {
        let rows: Vec<&[f64]> = train
            .iter()
            .filter_map(|target| match target {
                Target::Values(values) => Some(values.as_slice()),
                _ => None,
            })
            .collect();
        let values = rows.first().map_or(0, |row| row.len());
        let scale = |at: usize| {
            let numbers = rows.iter().map(|row| row[at]);
            let (mean, std) = (numbers::mean(numbers.clone()), numbers::std(numbers));
            if std.is_normal() {
                return Ok(Self { mean, std });
            }
            let name = names.get(at).map_or("?", String::as_str);
            let problem = if std == 0. {
                format!(
                    "all training samples have {} as {name:?}, so there is nothing to learn",
                    numbers::written(rows[0][at])
                )
            } else {
                let kind = if std.is_finite() { "small" } else { "large" };
                format!("the training samples have too {kind} numbers as {name:?}")
            };
            Err(Error::setting("--data", problem))
        };
        (0..values).map(scale).collect()
    }
}

/// The scales of all values, as tensors.
#[derive(Debug)]
pub(crate) struct Scales {
    /// `[values]`, f64.
    mean: Tensor,
    /// `[values]`, f64.
    std: Tensor,
}

impl Scales {
    pub(super) fn new(scales: &[TargetScale], device: Device) -> Self {
        let part = |of: fn(&TargetScale) -> f64| {
            let all: Vec<f64> = scales.iter().map(of).collect();
            Tensor::from_slice(&all).to_device(device)
        };
        Self { mean: part(|s| s.mean), std: part(|s| s.std) }
    }

    /// Values in their units, `[B, values]`, to what a model predicts, f32.
    pub(super) fn apply(&self, values: &Tensor) -> Tensor {
        ((values - &self.mean) / &self.std).to_kind(Kind::Float)
    }

    /// A head's weights `[values, D]` rescaled such that its outputs are in units, f64.
    pub(crate) fn stretch(&self, weight: &Tensor) -> Tensor {
        weight.to_kind(Kind::Double) * self.std.unsqueeze(-1)
    }

    /// What a model predicts to values in their units, f64.
    pub(crate) fn undo(&self, answers: &Tensor) -> Tensor {
        answers.to_kind(Kind::Double) * &self.std + &self.mean
    }
}

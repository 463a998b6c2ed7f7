//! How far the probabilities of a run can be trusted, before and after calibration.

use serde::{Deserialize, Serialize};

/// The probabilities of a run on the test set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Calibration {
    /// The model's own.
    pub uncalibrated: Reliability,
    /// The same at the temperature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<Reliability>,
    /// What its logits are divided by, fitted on the samples that were held out to choose the rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
}

/// How far some probabilities can be trusted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Reliability {
    /// The expected calibration error, 0 to 1.
    pub ece: f64,
    /// The Brier score, 0 to 2.
    pub brier: f64,
    /// The negative log likelihood, in nats.
    pub nll: f64,
    /// The forecasts by their confidence, in bins of equal width from 0 to 1.
    pub bins: Vec<Bin>,
}

/// Forecasts of about the same confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Bin {
    /// How many.
    pub forecasts: usize,
    /// Their mean confidence; 0 of none.
    pub confidence: f64,
    /// The fraction that is right; 0 of none.
    pub accuracy: f64,
}

impl Reliability {
    /// That of several runs: the means of their figures, and their forecasts together. `None` of none.
    pub(crate) fn pooled(runs: &[&Self]) -> Option<Self> {
        let (first, count) = (runs.first()?, runs.len() as f64);
        let mean = |of: fn(&Self) -> f64| runs.iter().map(|run| of(run)).sum::<f64>() / count;
        let bin = |at: usize| {
            let bins = || runs.iter().filter_map(|run| run.bins.get(at));
            let all = bins().map(|bin| bin.forecasts).sum::<usize>();
            let mean = |of: fn(&Bin) -> f64| {
                let sum = bins().map(|bin| of(bin) * bin.forecasts as f64).sum::<f64>();
                sum / all.max(1) as f64
            };
            let (confidence, accuracy) = (mean(|bin| bin.confidence), mean(|bin| bin.accuracy));
            Bin { forecasts: all, confidence, accuracy }
        };
        Some(Self {
            ece: mean(|run| run.ece),
            brier: mean(|run| run.brier),
            nll: mean(|run| run.nll),
            bins: (0..first.bins.len()).map(bin).collect(),
        })
    }
}

impl Calibration {
    /// That of several runs, as [`Reliability::pooled`]; calibrated as far as all of them are.
    pub(crate) fn pooled(runs: &[&Self]) -> Option<Self> {
        let own: Vec<_> = runs.iter().map(|run| &run.uncalibrated).collect();
        let calibrated: Option<Vec<_>> = runs.iter().map(|run| run.calibrated.as_ref()).collect();
        let temperatures: Option<Vec<_>> = runs.iter().map(|run| run.temperature).collect();
        let mean = |all: Vec<f64>| all.iter().sum::<f64>() / all.len().max(1) as f64;
        Some(Self {
            uncalibrated: Reliability::pooled(&own)?,
            calibrated: calibrated.and_then(|all| Reliability::pooled(&all)),
            temperature: temperatures.map(mean),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forecasts_of_several_runs_are_pooled() {
        let run = |ece, forecasts, accuracy| Calibration {
            uncalibrated: Reliability {
                ece,
                brier: 0.2,
                nll: 0.3,
                bins: vec![Bin { forecasts, confidence: 0.9, accuracy }],
            },
            calibrated: None,
            temperature: None,
        };
        let (a, b) = (run(0.1, 1, 1.), run(0.3, 3, 0.5));
        let both = Calibration::pooled(&[&a, &b]).unwrap();
        assert!((both.uncalibrated.ece - 0.2).abs() < 1e-12);
        let bin = both.uncalibrated.bins[0];
        assert_eq!(bin.forecasts, 4);
        assert!((bin.accuracy - 0.625).abs() < 1e-12 && (bin.confidence - 0.9).abs() < 1e-12);
        assert_eq!((both.calibrated, both.temperature), (None, None));
        assert_eq!(Calibration::pooled(&[]), None);
    }
}

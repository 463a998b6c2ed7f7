//! How far a model's probabilities can be trusted: calibration errors, Brier score, log loss.

use std::array;

use serde::{Deserialize, Serialize};

/// The number of bins, all as wide.
const BINS: usize = 15;

/// How far the probabilities of some forecasts can be trusted. A forecast is a sample with the
/// probability of its most probable class, which is right or not; or, of labels, a sample and a label with
/// the probability that it applies, which it does or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// The number of forecasts.
    pub forecasts: usize,
    /// The expected calibration error: the mean over the forecasts of how far the confidence of their
    /// bin lies from its accuracy, with 15 bins of equal width (Naeini et al. 2015; Guo et al. 2017, eq.
    /// 3). From 0, the best, to 1.
    pub ece: f64,
    /// The maximum calibration error: the same of the worst bin (Guo et al. 2017, eq. 5). A bin with few
    /// forecasts can be far off by chance.
    pub mce: f64,
    /// The Brier score: the mean squared distance of the probabilities from the truth. Of classes, it is
    /// summed over all of them (Brier 1950), from 0, the best, to 2; of labels, from 0 to 1.
    pub brier: f64,
    /// The mean negative log likelihood of the truth, in nats.
    pub nll: f64,
    /// The bins of a reliability diagram, by confidence: the first has those up to 1/15, the last those
    /// above 14/15.
    pub bins: Vec<ReliabilityBin>,
}

/// The forecasts of about the same confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// How many there are.
    pub forecasts: usize,
    /// Their mean confidence; 0 of none.
    pub confidence: f64,
    /// The fraction of them that is right, or whose label applies; 0 of none.
    pub accuracy: f64,
}

/// The same before and after calibration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationMetrics {
    /// Of the model's own probabilities.
    pub uncalibrated: Reliability,
    /// Of those that it answers with, if a temperature was fitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibrated: Option<Reliability>,
    /// That temperature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
}

impl CalibrationMetrics {
    /// Of what a model answers with.
    pub fn answered(&self) -> &Reliability {
        self.calibrated.as_ref().unwrap_or(&self.uncalibrated)
    }
}

/// One forecast.
#[derive(Debug, Clone, Copy)]
pub(in crate::task) struct Forecast {
    /// The probability.
    pub(in crate::task) confidence: f64,
    /// Whether it came true.
    pub(in crate::task) is_right: bool,
    /// The squared distance of the probabilities from the truth.
    pub(in crate::task) brier: f64,
    /// The negative logarithm of the probability of the truth.
    pub(in crate::task) nll: f64,
}

/// Sums over forecasts, in their order.
#[derive(Debug, Clone, Default)]
pub(in crate::task) struct ReliabilitySums {
    bins: [BinSums; BINS],
    brier: f64,
    nll: f64,
}

#[derive(Debug, Clone, Copy, Default)]
struct BinSums {
    forecasts: usize,
    confidence: f64,
    right: usize,
}

impl ReliabilitySums {
    pub(in crate::task) fn add(&mut self, forecast: Forecast) {
        let Forecast { confidence, is_right, brier, nll } = forecast;
        // A bin has its upper end, as in the authors' code.
        let bin = (confidence * BINS as f64).ceil() as usize;
        let bin = &mut self.bins[bin.clamp(1, BINS) - 1];
        bin.forecasts += 1;
        bin.confidence += confidence;
        bin.right += usize::from(is_right);
        self.brier += brier;
        self.nll += nll;
    }

    /// `None` of no forecasts.
    pub(in crate::task) fn finish(&self) -> Option<Reliability> {
        let all = self.bins.iter().map(|bin| bin.forecasts).sum::<usize>();
        if all == 0 {
            return None;
        }
        let bins: [ReliabilityBin; BINS] = array::from_fn(|at| {
            let BinSums { forecasts, confidence, right } = self.bins[at];
            let mean = |sum: f64| sum / forecasts.max(1) as f64;
            ReliabilityBin { forecasts, confidence: mean(confidence), accuracy: mean(right as f64) }
        });
        let off = |bin: &ReliabilityBin| (bin.confidence - bin.accuracy).abs();
        let share = |bin: &ReliabilityBin| bin.forecasts as f64 / all as f64;
        Some(Reliability {
            forecasts: all,
            ece: bins.iter().map(|bin| share(bin) * off(bin)).sum(),
            mce: bins.iter().map(off).fold(0., f64::max),
            brier: self.brier / all as f64,
            nll: self.nll / all as f64,
            bins: bins.to_vec(),
        })
    }
}

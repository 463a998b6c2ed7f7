//! What a model's answers to some samples come to, apart from the samples themselves: small enough to be
//! sent to other processes, and exact.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::metrics::Forecast;
use crate::error::Result;

/// All that metrics need of a model's answers to some samples.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Judged {
    pub(super) samples: usize,
    /// What is to be added to the sum of losses, one after the other.
    pub(super) losses: Vec<Exact>,
    /// How many words a model says nothing of.
    pub(super) unanswered: usize,
    pub(super) answers: Answers,
    /// Of classes, the forecasts of all samples: the model's own, and the calibrated ones, if it is.
    pub(super) forecasts: [Vec<ExactForecast>; 2],
}

/// The answers, in the order of the samples.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answers {
    /// A class for each.
    Classes(Vec<usize>),
    /// Log odds or values, a row for each.
    Rows(Vec<Vec<Exact>>),
    /// A text for each.
    Texts(Vec<String>),
    /// The labels of words for each.
    Tags(Vec<Vec<usize>>),
}

impl Default for Answers {
    fn default() -> Self {
        Self::Classes(vec![])
    }
}

/// A number that is written as its bits: in digits, it might come back as its neighbour.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(from = "u64", into = "u64")]
pub(super) struct Exact(pub(super) f64);

impl From<u64> for Exact {
    fn from(bits: u64) -> Self {
        Self(f64::from_bits(bits))
    }
}

impl From<Exact> for u64 {
    fn from(number: Exact) -> Self {
        number.0.to_bits()
    }
}

/// A forecast of a class: its confidence, Brier score and log loss, and whether it is right.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct ExactForecast([Exact; 3], bool);

impl From<Forecast> for ExactForecast {
    fn from(Forecast { confidence, is_right, brier, nll }: Forecast) -> Self {
        Self([confidence, brier, nll].map(Exact), is_right)
    }
}

impl From<ExactForecast> for Forecast {
    fn from(ExactForecast([confidence, brier, nll], is_right): ExactForecast) -> Self {
        Self { confidence: confidence.0, is_right, brier: brier.0, nll: nll.0 }
    }
}

/// The rows of `[N, answers]`.
pub(super) fn rows_of(answers: &Tensor) -> Result<Answers> {
    let rows = Vec::<Vec<f64>>::try_from(answers.contiguous())?;
    Ok(Answers::Rows(rows.into_iter().map(|row| row.into_iter().map(Exact).collect()).collect()))
}

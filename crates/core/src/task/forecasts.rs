//! From scores to forecasts: a probability, and whether it came true.

use tch::{Kind, Tensor};

use super::metrics::Forecast;
use crate::error::Result;

/// The forecasts of classes: logarithms of probabilities `[N, classes]`, f64, and the classes, `[N]`.
pub(super) fn of_classes(logs: &Tensor, classes: &Tensor) -> Result<Vec<Forecast>> {
    let p = logs.exp();
    let (confidence, best) = p.max_dim(-1, false);
    let column = classes.unsqueeze(-1);
    let own = |of: &Tensor| of.gather(1, &column, false).squeeze_dim(-1);
    let squares = (&p * &p).sum_dim_intlist([-1].as_slice(), false, Kind::Double);
    let brier = squares - own(&p) * 2. + 1.;
    let [confidence, brier, nll] = [confidence, brier, -own(logs)].map(Vec::<f64>::try_from);
    let right = Vec::<bool>::try_from(best.eq_tensor(classes))?;
    let numbers = confidence?.into_iter().zip(brier?).zip(nll?).zip(right);
    Ok(numbers
        .map(|(((confidence, brier), nll), is_right)| Forecast { confidence, is_right, brier, nll })
        .collect())
}

/// The forecast that a label applies, from the logarithm of its odds.
pub(super) fn of_label(log_odds: f64, applies: bool) -> Forecast {
    let confidence = sigmoid(log_odds);
    // ln(1 + e^-x), x being the log odds of the truth.
    let odds = if applies { log_odds } else { -log_odds };
    let nll = (-odds.abs()).exp().ln_1p() + (-odds).max(0.);
    let brier = (confidence - f64::from(u8::from(applies))).powi(2);
    Forecast { confidence, is_right: applies, brier, nll }
}

/// The logistic function: the probability of log odds.
pub fn sigmoid(log_odds: f64) -> f64 {
    1. / (1. + (-log_odds).exp())
}

//! The most probable symbol at each position.

use tch::{Kind, Tensor};

use super::emission::Emission;
use crate::error::Result;

/// The most probable symbol at each position of `logs`, log-probabilities `[T, symbols]`: repetitions
/// are taken together, and blanks out.
///
/// # Errors
/// If `logs` has another shape.
pub fn greedy(logs: &Tensor, blank: usize) -> Result<Vec<Emission>> {
    if logs.size2()?.0 == 0 {
        return Ok(vec![]);
    }
    let (probabilities, best) = logs.f_max_dim(-1, false)?;
    let best = Vec::<i64>::try_from(best)?;
    let probabilities = Vec::<f64>::try_from(probabilities.f_exp()?.f_to_kind(Kind::Double)?)?;
    let mut emitted: Vec<Emission> = vec![];
    let mut last = None;
    for (at, (symbol, probability)) in best.into_iter().zip(probabilities).enumerate() {
        let symbol = symbol as usize;
        if symbol != blank {
            match emitted.last_mut() {
                Some(same) if last == Some(symbol) => {
                    same.end = at + 1;
                    same.probability = same.probability.max(probability);
                }
                _ => emitted.push(Emission { symbol, start: at, end: at + 1, probability }),
            }
        }
        last = Some(symbol);
    }
    Ok(emitted)
}

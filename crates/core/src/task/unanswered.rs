//! Words that a model says nothing of: nothing of them is in its input, for a tokenizer makes no piece
//! of a zero-width space, or what is longer than the model takes was cut off.

use tch::{Device, Kind, Tensor};

use super::tags::OUTSIDE;

/// The logarithm of the probability of all labels but one of such a word. No model's answer has it: it
/// is finite, and smaller than what f32 logits can come to.
const IMPOSSIBLE: f64 = f32::MIN as f64;

/// The scores of a word that is taken to be in no span, `[labels]`: certainty for `O`, or for the first
/// label where there is none.
pub(crate) fn unanswered(labels: &[String]) -> Tensor {
    let row = Tensor::full([labels.len() as i64], IMPOSSIBLE, (Kind::Float, Device::Cpu));
    let outside = labels.iter().position(|label| label == OUTSIDE).unwrap_or(0);
    let _ = row.get(outside as i64).fill_(0.);
    row
}

/// Of each word in scores, `[W, labels]`, whether it is such a one.
pub(crate) fn are_unanswered(scores: &Tensor) -> Tensor {
    scores.eq(IMPOSSIBLE).any_dim(-1, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_without_an_answer_is_told_from_one_with_a_certain_answer() {
        let labels = ["B-a", "O"].map(str::to_string);
        let sure = Tensor::from_slice(&[-1e30f32, 1e30]).log_softmax(-1, Kind::Float);
        let rows = Tensor::stack(&[unanswered(&labels), sure], 0);
        assert_eq!(Vec::<bool>::try_from(are_unanswered(&rows)).unwrap(), [true, false]);
        assert_eq!(Vec::<i64>::try_from(rows.argmax(-1, false)).unwrap(), [1, 1]);
        assert_eq!(Vec::<f32>::try_from(rows.exp().get(0)).unwrap(), [0., 1.]);
        let bare = unanswered(&["N", "V"].map(str::to_string));
        assert_eq!(bare.argmax(-1, false).int64_value(&[]), 0);
    }
}

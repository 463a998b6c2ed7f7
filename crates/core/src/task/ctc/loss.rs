//! The loss.

use tch::{Kind, Reduction, Tensor};

/// The loss of a batch with log-probabilities `[B, T, symbols]`, of which the first `positions`
/// (`[B]`, i64) of each row count, and texts `[B, L]` with `lengths` (`[B]`, i64) symbols each: the mean
/// over the texts of the loss for each symbol, in nats, as PyTorch's `mean`. It is computed in f32. A
/// text that its row is too short for counts as 0, and has no gradient.
pub(in crate::task) fn loss(
    logs: &Tensor,
    positions: &Tensor,
    texts: &Tensor,
    lengths: &Tensor,
    blank: usize,
) -> Tensor {
    if logs.size()[1] == 0 {
        return logs.sum(Kind::Float);
    }
    let logs = logs.to_kind(Kind::Float).transpose(0, 1);
    Tensor::ctc_loss_tensor(&logs, texts, positions, lengths, blank as i64, Reduction::Mean, true)
}

/// How many positions a text takes at least: one for each symbol, and one between two that are the
/// same.
pub fn least_positions(symbols: &[i64]) -> usize {
    symbols.len() + symbols.windows(2).filter(|pair| pair[0] == pair[1]).count()
}

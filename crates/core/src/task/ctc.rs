//! Connectionist temporal classification: from scores at every position to a text (Graves et al.
//! 2006).

use tch::{Kind, Reduction, Tensor};

use super::vocabulary::Vocabulary;

/// The loss of a batch with log-probabilities `[B, T, symbols]`, of which the first `positions`
/// (`[B]`, i64) of each row count, and texts `[B, L]` with `lengths` (`[B]`, i64) symbols each: the mean
/// over the texts of the loss for each symbol, in nats, as PyTorch's `mean`. A text that its row is too
/// short for counts as 0.
pub(super) fn loss(
    logs: &Tensor,
    positions: &Tensor,
    texts: &Tensor,
    lengths: &Tensor,
    blank: usize,
) -> Tensor {
    let logs = logs.to_kind(Kind::Float).transpose(0, 1);
    Tensor::ctc_loss_tensor(&logs, texts, positions, lengths, blank as i64, Reduction::Mean, true)
}

/// How many positions a text takes at least: one for each symbol, and one between two that are the
/// same.
pub fn least_positions(symbols: &[i64]) -> usize {
    symbols.len() + symbols.windows(2).filter(|pair| pair[0] == pair[1]).count()
}

/// A symbol of a decoded text, and its positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emission {
    /// An index into the symbols.
    pub symbol: usize,
    /// The first position that it is heard at.
    pub start: usize,
    /// The position behind the last.
    pub end: usize,
}

/// The most probable symbol at each position, repetitions taken together and blanks taken out. `best`
/// has the most probable symbol of each position.
pub fn greedy(best: &[i64], vocabulary: &Vocabulary) -> Vec<Emission> {
    let mut emitted: Vec<Emission> = vec![];
    let mut last = None;
    for (at, &symbol) in best.iter().enumerate() {
        let symbol = symbol as usize;
        if symbol != vocabulary.blank {
            match emitted.last_mut() {
                Some(same) if last == Some(symbol) => same.end = at + 1,
                _ => emitted.push(Emission { symbol, start: at, end: at + 1 }),
            }
        }
        last = Some(symbol);
    }
    emitted
}

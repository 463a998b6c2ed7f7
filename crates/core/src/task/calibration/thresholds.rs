//! The probability from which on a label applies.

/// The threshold above which a label has its best F1 on some samples, half-way between two of their
/// probabilities; of equals, the one nearest to 0.5. With fewer than `least` samples that have it, or
/// that have it not, it is 0.5: the best of so few is mostly chance.
pub(super) fn best_f1(probabilities: &[f64], truth: &[bool], least: usize) -> f64 {
    const HALF: f64 = 0.5;
    let occurring = truth.iter().filter(|&&occurs| occurs).count();
    if occurring < least || truth.len() - occurring < least {
        return HALF;
    }
    let mut order: Vec<usize> = (0..truth.len()).collect();
    order.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
    let (mut correct, mut answered) = (0, 0);
    let (mut best, mut threshold) = (0., HALF);
    let mut equals = order.chunk_by(|&a, &b| probabilities[a] == probabilities[b]).peekable();
    while let Some(chunk) = equals.next() {
        correct += chunk.iter().filter(|&&at| truth[at]).count();
        answered += chunk.len();
        let below = equals.peek().map_or(0., |next| probabilities[next[0]]);
        let (f1, at) = (
            2. * correct as f64 / (answered + occurring) as f64,
            f64::midpoint(probabilities[chunk[0]], below),
        );
        if f1 > best || (f1 == best && (at - HALF).abs() < (threshold - HALF).abs()) {
            (best, threshold) = (f1, at);
        }
    }
    threshold
}

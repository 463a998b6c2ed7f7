//! A model's scores of some samples.

use tch::Tensor;

/// A model's scores of some samples, f32 on the CPU.
#[derive(Debug)]
pub enum Scores {
    /// A row for each sample, `[samples, answers]`: the logarithms of the probabilities of all classes;
    /// of each label, the logarithm of its odds; values, in standard deviations from their mean
    /// ([`TaskConfig::in_units`](crate::task::TaskConfig::in_units)).
    Rows(Tensor),
    /// Of each sample, the logarithms of the probabilities at every position, `[T, symbols]`, or of
    /// every word, `[W, labels]`.
    Sequences(Vec<Tensor>),
}

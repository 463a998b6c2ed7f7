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

impl Scores {
    /// How many positions or words one of the samples has; 0 where it has an answer as a whole. With it,
    /// [`Modality::places`](crate::modality::Modality::places) tells where they are.
    pub fn positions(&self, row: usize) -> usize {
        let of = |all: &Vec<Tensor>| all.get(row).and_then(|one| one.size().first().copied());
        match self {
            Self::Rows(_) => 0,
            Self::Sequences(all) => of(all).unwrap_or(0) as usize,
        }
    }
}

//! Which source suits a data set, told from one forward pass: the features that a model makes of
//! labelled samples, and how well classes can be told apart by them.
//!
//! [`logme`] is the evidence of a linear model (You et al. 2021), [`probe()`] the accuracy of a
//! cross-validated linear classifier. Neither sees what fine-tuning the trunk would add.

mod lbfgs;
mod logistic;
mod logme;
mod probe;
#[cfg(test)]
mod tests;

pub use logistic::Logistic;
pub use logme::logme;
pub use probe::{LEAST_FOLDS, Probe, probe};

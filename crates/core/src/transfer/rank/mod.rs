//! Which source suits a data set, from one forward pass: how well the features of a model separate
//! the classes of labelled samples.
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

//! Connectionist temporal classification: from scores at every position to a text (Graves et al.
//! 2006).

mod arpa;
mod beam;
mod decoder;
mod emission;
mod greedy;
mod loss;
mod ngrams;
mod paths;
#[cfg(test)]
mod tests;

pub use arpa::read as read_arpa;
pub use beam::{BeamSearch, Hypothesis};
pub use decoder::Decoder;
pub use emission::Emission;
pub use greedy::greedy;
pub use loss::least_positions;
pub use ngrams::Ngrams;

pub(super) use loss::loss;

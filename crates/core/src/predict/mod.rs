//! A model's answers, without training.

mod evaluate;
mod features;
mod rows;
mod score;

pub use evaluate::evaluate;
pub use features::{FeatureLevel, features};
pub use score::score;

pub(crate) use evaluate::evaluate_feed;

//! A model's answers, without training.

mod answer;
mod evaluate;
mod features;
mod rows;
mod score;
mod sequences;

pub use answer::{Answer, Entity, SpokenWord, Transcript, answers};
pub use evaluate::evaluate;
pub use features::{FeatureLevel, PositionFeatures, features, position_features};
pub use score::score;

pub(crate) use evaluate::evaluate_feed;

//! A model's answers, without training.

mod answer;
mod asked;
mod evaluate;
mod features;
mod rows;
mod score;
mod sequences;
mod together;
mod too_short;

pub use answer::{
    Answer, AnswerLine, Entity, SpokenWord, Transcript, answers, answers_with, located, sigmoid,
};
pub use asked::{AnsweringModel, Asked, Said};
pub use evaluate::{evaluate, evaluate_with};
pub use features::{FeatureLevel, PositionFeatures, features, position_features};
pub use score::score;
pub use together::{AnsweringTunings, Question};
pub use too_short::{TooShort, too_short};

pub(crate) use evaluate::evaluate_feed;

//! A model's answers, without training.

mod answer;
mod asked;
mod evaluate;
mod explain;
mod features;
mod rows;
mod score;
mod scored;
mod sequences;
mod together;
mod too_short;

pub use answer::{
    Answer, AnswerLine, Entity, SpokenWord, Transcript, answers, answers_with, located,
};
pub use asked::{AnsweringModel, Asked, Said};
pub use evaluate::{evaluate, evaluate_with};
pub use explain::{
    Attributions, ExplainMethod, ExplainOptions, ExplainTarget, Explanation, Occluder, explain,
    questions,
};
pub use features::{FeatureLevel, PositionFeatures, features, position_features};
pub use score::score;
pub use scored::{ScoredSamples, scored};
pub use together::{AnsweringTunings, Question};
pub use too_short::{TooShort, too_short};

pub(crate) use evaluate::evaluate_feed;

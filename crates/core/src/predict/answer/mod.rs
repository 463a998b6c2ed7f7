//! Answers: what a model says of a sample, whatever its task.

// The file of the one type is called as its folder is.
mod answer;
mod decided;
mod entities;
mod json;
mod line;
mod transcript;

pub use answer::{Answer, answers, answers_with};
pub use entities::Entity;
pub use line::{AnswerLine, located};
pub use transcript::{SpokenWord, Transcript};

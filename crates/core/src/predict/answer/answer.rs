//! An answer of any task.

use tch::{Kind, Tensor};

use super::entities::{Entity, entities};
use super::transcript::{Transcript, transcript};
use crate::error::Result;
use crate::modality::Places;
use crate::task::ctc::Decoder;
use crate::task::{Scores, Task, TaskConfig};

/// What a model says of one sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Classes, as indices into the labels, with their probabilities, most probable first.
    Classes(Vec<(usize, f64)>),
    /// All labels likewise, of which any number may apply.
    Labels(Vec<(usize, f64)>),
    /// Numbers, in their own units.
    Values(Vec<f64>),
    /// A text.
    Transcript(Transcript),
    /// What was found in a text, in order.
    Entities(Vec<Entity>),
}

impl Answer {
    /// The same with its places in the input, as [`Modality::places`](crate::modality::Modality::places)
    /// tells them.
    pub fn located(self, places: &Places) -> Self {
        match self {
            Self::Transcript(heard) => Self::Transcript(heard.located(places)),
            Self::Entities(found) => {
                Self::Entities(found.into_iter().map(|entity| entity.located(places)).collect())
            }
            other => other,
        }
    }
}

/// What a model says of some samples; texts are those of the most probable symbols. Probabilities of
/// classes and labels are [calibrated](crate::task::Calibration), where the model is.
///
/// # Errors
/// If the scores are not those of the task.
pub fn answers(config: TaskConfig<'_>, scores: &Scores) -> Result<Vec<Answer>> {
    answers_with(config, scores, &Decoder::Greedy)
}

/// The same, with another way from scores to texts.
///
/// # Errors
/// As [`answers`].
pub fn answers_with(
    config: TaskConfig<'_>,
    scores: &Scores,
    decoder: &Decoder,
) -> Result<Vec<Answer>> {
    let answers = match (scores, config.vocabulary) {
        (Scores::Rows(answers), _) => answers,
        (Scores::Sequences(all), Some(vocabulary)) => {
            let heard = decoder.decode(all, vocabulary, config.labels)?;
            let transcript = |emitted: Vec<_>| transcript(vocabulary, config.labels, &emitted);
            return Ok(heard.into_iter().map(transcript).map(Answer::Transcript).collect());
        }
        (Scores::Sequences(all), None) => {
            let entities = |one| Ok(Answer::Entities(entities(config.labels, one)?));
            return all.iter().map(entities).collect();
        }
    };
    let rows = |of: Tensor| Vec::<Vec<f64>>::try_from(of.to_kind(Kind::Double));
    if config.task == Task::Regression {
        return Ok(rows(config.in_units(answers))?.into_iter().map(Answer::Values).collect());
    }
    let of = match config.task {
        Task::MultiLabel => Answer::Labels,
        _ => Answer::Classes,
    };
    let ranked = |row: Vec<f64>| {
        let mut ranked: Vec<_> = row.into_iter().enumerate().collect();
        ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        of(ranked)
    };
    Ok(rows(config.probabilities(answers))?.into_iter().map(ranked).collect())
}

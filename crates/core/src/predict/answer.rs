//! Answers: what a model says of a sample, whatever its task.

use serde::Serialize;
use tch::{Kind, Tensor};

use crate::error::Result;
use crate::task::{Scores, Task, TaskConfig, ctc, spans};

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

/// A text, with the place of each word.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Transcript {
    /// The whole text.
    pub text: String,
    /// Its words, in order.
    pub words: Vec<SpokenWord>,
}

/// A word of a transcript.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SpokenWord {
    /// The word.
    pub word: String,
    /// Where it begins: a position of the model's output.
    pub start: usize,
    /// The position behind its last.
    pub end: usize,
}

/// A stretch of words that belong together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entity {
    /// What it is: `PER`.
    pub label: String,
    /// The mean probability of its words' labels.
    pub probability: f64,
    /// Its first word, counted from 0.
    pub start: usize,
    /// The word behind its last.
    pub end: usize,
}

/// What a model says of some samples.
///
/// # Errors
/// If the scores are not those of the task.
pub fn answers(config: TaskConfig<'_>, scores: &Scores) -> Result<Vec<Answer>> {
    let answers = match scores {
        Scores::Rows(answers) => answers,
        Scores::Sequences(all) => return all.iter().map(|one| sequence(config, one)).collect(),
    };
    let rows = |of: Tensor| Vec::<Vec<f64>>::try_from(of.to_kind(Kind::Double));
    let ranked = |row: Vec<f64>| {
        let mut ranked: Vec<_> = row.into_iter().enumerate().collect();
        ranked.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        ranked
    };
    Ok(match config.task {
        Task::MultiLabel => {
            rows(answers.sigmoid())?.into_iter().map(|row| Answer::Labels(ranked(row))).collect()
        }
        Task::Regression => {
            rows(config.in_units(answers))?.into_iter().map(Answer::Values).collect()
        }
        _ => rows(answers.exp())?.into_iter().map(|row| Answer::Classes(ranked(row))).collect(),
    })
}

/// The answer in the scores of one sample, `[T, symbols]` or `[W, labels]`.
fn sequence(config: TaskConfig<'_>, scores: &Tensor) -> Result<Answer> {
    let (probability, best) = scores.max_dim(-1, false);
    let best = Vec::<i64>::try_from(best)?;
    if let Some(vocabulary) = config.vocabulary {
        let mut words: Vec<SpokenWord> = vec![];
        let mut within = false;
        for ctc::Emission { symbol, start, end } in ctc::greedy(&best, vocabulary) {
            if Some(symbol) == vocabulary.delimiter {
                within = false;
            } else if vocabulary.is_written(symbol) {
                let letter = config.labels.get(symbol).map_or("", String::as_str);
                match words.last_mut().filter(|_| within) {
                    Some(word) => {
                        word.word.push_str(letter);
                        word.end = end;
                    }
                    None => words.push(SpokenWord { word: letter.into(), start, end }),
                }
                within = true;
            }
        }
        let text = words.iter().map(|word| word.word.as_str()).collect::<Vec<_>>().join(" ");
        return Ok(Answer::Transcript(Transcript { text, words }));
    }
    let probability = Vec::<f64>::try_from(probability.exp().to_kind(Kind::Double))?;
    let names =
        best.iter().map(|&label| config.labels.get(label as usize).map_or("O", String::as_str));
    let entity = |span: crate::task::Span| {
        let within = &probability[span.start..span.end];
        Entity {
            probability: within.iter().sum::<f64>() / within.len().max(1) as f64,
            label: span.kind,
            start: span.start,
            end: span.end,
        }
    };
    Ok(Answer::Entities(spans(names).into_iter().map(entity).collect()))
}

//! What of an answer is explained.

use tch::{Kind, Tensor};

use crate::error::{Error, Result};
use crate::predict::answer::{Answer, answers};
use crate::task::ctc::greedy;
use crate::task::{OUTSIDE, Scores, Task, TaskConfig};

/// What of a model's answer to an input is explained. Each is one number, the score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExplainTarget {
    /// Why this class, or this label: the logarithm of its odds, ln p / (1 − p). Between two classes that
    /// is the difference of their logits, and of a label its logit. It tells apart what the logit of a
    /// class alone does not: all logits may grow together, and nothing changes.
    Label(usize),
    /// Why this value, in its own unit.
    Value(usize),
    /// Why this label of a word, counted from 0: the logarithm of its odds.
    Tag {
        /// The word.
        word: usize,
        /// The label.
        label: usize,
    },
    /// Why these symbols: the sum of the logarithms of their probabilities, each at a position, counted
    /// from 0 over all windows.
    Symbols(Vec<(usize, usize)>),
}

/// What there is to be explained of the answer to one of some samples: why the class, the label or the
/// value `target`, or else the most probable one; of words, each that is labelled as something, or `word`
/// alone; of a text, all symbols or those of `word`, counted from 0. None where a sentence has nothing in
/// it, or a recording.
///
/// # Errors
/// If there is no such word, if a target has to be chosen among several values, or if an answer of this
/// kind has no target or no words.
pub fn questions(
    config: TaskConfig<'_>,
    scores: &Scores,
    row: usize,
    target: Option<usize>,
    word: Option<usize>,
) -> Result<Vec<ExplainTarget>> {
    let whole = |option| {
        Err(Error::setting(option, "there is one answer for the whole input; leave it out"))
    };
    match scores {
        Scores::Rows(_) if word.is_some() => whole("--word"),
        Scores::Rows(all) => match (config.task, target) {
            (Task::Regression, Some(at)) => Ok(vec![ExplainTarget::Value(at)]),
            (Task::Regression, None) if config.labels.len() == 1 => {
                Ok(vec![ExplainTarget::Value(0)])
            }
            (Task::Regression, None) => {
                let names = config.labels.join(", ");
                let problem =
                    format!("the model answers with several values; choose one of {names}");
                Err(Error::setting("--target", problem))
            }
            (_, Some(at)) => Ok(vec![ExplainTarget::Label(at)]),
            (_, None) => {
                let best = all.f_get(row as i64)?.f_argmax(-1, false)?.f_int64_value(&[])?;
                Ok(vec![ExplainTarget::Label(best as usize)])
            }
        },
        Scores::Sequences(all) => {
            let Some(logs) = all.get(row) else { return Ok(vec![]) };
            match config.task {
                Task::Tagging => tags(config, logs, target, word),
                _ if target.is_some() => {
                    let problem = "a text has no label; --word explains one of its words";
                    Err(Error::setting("--target", problem))
                }
                _ => symbols(config, logs, word),
            }
        }
    }
}

/// Words of `[words, labels]`.
fn tags(
    config: TaskConfig<'_>,
    logs: &Tensor,
    target: Option<usize>,
    word: Option<usize>,
) -> Result<Vec<ExplainTarget>> {
    let best = Vec::<i64>::try_from(logs.f_argmax(-1, false)?)?;
    let best: Vec<usize> = best.into_iter().map(|label| label as usize).collect();
    let words: Vec<usize> = match (word, target) {
        (Some(word), _) => vec![there(word, best.len())?],
        // Where it is most probable.
        (None, Some(label)) => {
            let word = logs.f_select(1, label as i64)?.f_argmax(0, false)?.f_int64_value(&[])?;
            vec![word as usize]
        }
        (None, None) => {
            let outside =
                |word: &usize| config.labels.get(best[*word]).is_some_and(|l| l == OUTSIDE);
            (0..best.len()).filter(|word| !outside(word)).collect()
        }
    };
    let tag = |word: usize| ExplainTarget::Tag { word, label: target.unwrap_or(best[word]) };
    Ok(words.into_iter().map(tag).collect())
}

/// The most probable symbols of `[positions, symbols]`, without blanks.
fn symbols(
    config: TaskConfig<'_>,
    logs: &Tensor,
    word: Option<usize>,
) -> Result<Vec<ExplainTarget>> {
    let blank = config.vocabulary.map_or(0, |vocabulary| vocabulary.blank);
    let within = match word {
        None => 0..usize::MAX,
        Some(word) => {
            let one = Scores::Sequences(vec![logs.to_kind(Kind::Float)]);
            let Some(Answer::Transcript(heard)) = answers(config, &one)?.pop() else {
                return Ok(vec![]);
            };
            let [from, to] = heard.words[there(word, heard.words.len())?].positions;
            from..to
        }
    };
    let mut all = vec![];
    for emitted in greedy(logs, blank)? {
        let positions = (emitted.start..emitted.end).filter(|at| within.contains(at));
        all.extend(positions.map(|at| (at, emitted.symbol)));
    }
    Ok(if all.is_empty() { vec![] } else { vec![ExplainTarget::Symbols(all)] })
}

/// A word, if there are so many.
fn there(word: usize, words: usize) -> Result<usize> {
    if word < words {
        return Ok(word);
    }
    let problem = format!("{}: the answer has {words} words", word + 1);
    Err(Error::setting("--word", problem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Vocabulary;

    fn config(task: Task, labels: &[String]) -> TaskConfig<'_> {
        TaskConfig { task, labels, vocabulary: None, scales: &[], calibration: None }
    }

    #[test]
    fn what_is_asked_follows_the_task() {
        let labels = ["B-PER", "O", "B-LOC"].map(String::from);
        let logs = Tensor::from_slice2(&[[0.1f32, 0.7, 0.2], [0.6, 0.3, 0.1]]).log();
        let asked = |task, target, word| {
            let scores = match task {
                Task::Tagging => Scores::Sequences(vec![logs.shallow_clone()]),
                _ => Scores::Rows(logs.shallow_clone()),
            };
            questions(config(task, &labels), &scores, 0, target, word)
        };
        assert_eq!(asked(Task::SingleLabel, None, None).unwrap(), [ExplainTarget::Label(1)]);
        assert_eq!(asked(Task::MultiLabel, Some(2), None).unwrap(), [ExplainTarget::Label(2)]);
        assert_eq!(asked(Task::Regression, Some(2), None).unwrap(), [ExplainTarget::Value(2)]);
        let several = asked(Task::Regression, None, None).unwrap_err().to_string();
        assert!(several.contains("--target") && several.contains("B-LOC"), "{several}");
        assert!(asked(Task::SingleLabel, None, Some(0)).is_err());
        let tag = |word, label| ExplainTarget::Tag { word, label };
        assert_eq!(asked(Task::Tagging, None, None).unwrap(), [tag(1, 0)], "the first is outside");
        assert_eq!(asked(Task::Tagging, None, Some(0)).unwrap(), [tag(0, 1)]);
        assert_eq!(asked(Task::Tagging, Some(2), None).unwrap(), [tag(0, 2)]);
        let none = asked(Task::Tagging, None, Some(2)).unwrap_err().to_string();
        assert!(
            none.contains("--word 3: the answer has 2 words") || none.contains("3: the answer"),
            "{none}"
        );
    }

    #[test]
    fn symbols_are_those_that_are_heard() {
        let labels = ["-", "|", "a", "b"].map(String::from);
        let vocabulary = Vocabulary { delimiter: Some(1), ..Vocabulary::default() };
        let config =
            TaskConfig { vocabulary: Some(&vocabulary), ..config(Task::Transcription, &labels) };
        // "a", twice, a blank, a delimiter, "b".
        let best = Tensor::from_slice(&[2i64, 2, 0, 1, 3]).one_hot(4);
        let logs = (best.to_kind(Kind::Float) * 5.).log_softmax(-1, Kind::Float);
        let scores = Scores::Sequences(vec![logs]);
        let asked = |word| questions(config, &scores, 0, None, word);
        let all = vec![(0, 2), (1, 2), (3, 1), (4, 3)];
        assert_eq!(asked(None).unwrap(), [ExplainTarget::Symbols(all)]);
        assert_eq!(asked(Some(1)).unwrap(), [ExplainTarget::Symbols(vec![(4, 3)])]);
        assert!(asked(Some(2)).is_err());
        assert!(questions(config, &scores, 0, Some(1), None).is_err());
        let silent = Scores::Sequences(vec![Tensor::from_slice2(&[[0f32, -9., -9., -9.]])]);
        assert_eq!(questions(config, &silent, 0, None, None).unwrap(), []);
    }
}

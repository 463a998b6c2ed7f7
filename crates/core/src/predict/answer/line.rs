//! An answer with the input that it is of, for programs: what `predict --json` prints a line of, and
//! what a server answers.

use serde::Serialize;
use serde_json::{Value, json};

use super::answer::Answer;
use crate::data::{Extent, Item};
use crate::error::{BadSample, Error, Result};
use crate::modality::Modality;
use crate::task::{PredictionSets, TaskConfig, sigmoid};

/// An answer with the input that it is of.
#[derive(Debug)]
pub struct AnswerLine<'a> {
    /// The input.
    pub item: &'a Item,
    /// The answer, with its [places](located).
    pub answer: &'a Answer,
    /// What the model answers.
    pub config: TaskConfig<'a>,
    /// The sets of classes that are asked for.
    pub sets: Option<&'a PredictionSets>,
    /// How many classes are told.
    pub top: usize,
    /// Whether the sigmoid of the first value is told, too, as of a cross-encoder's.
    pub sigmoid: bool,
    /// How much of the input the model has taken, where inputs have a length.
    pub extent: Option<Extent>,
    /// The unit of that: [`Modality::EXTENT`].
    pub unit: &'static str,
}

impl AnswerLine<'_> {
    /// An object: `input` and `text`, what [`Answer::json`] and [`Answer::decided`] tell, and `cut`
    /// (`unit`, `whole`, `taken`) where the model has not taken all of the input.
    pub fn json(&self) -> Value {
        let Self { item, answer, config, sets, top, extent, unit, .. } = *self;
        let texts = item.input.texts();
        let text = (!texts.is_empty()).then(|| texts.join("\t"));
        let mut line = json!(Told { input: item.place.verbatim(), text: text.as_deref() });
        if let Value::Object(said) = answer.json(config.labels, top, text.as_deref()) {
            said.into_iter().for_each(|(name, value)| line[name] = value);
        }
        answer.decided(config, sets).into_iter().for_each(|(name, value)| line[name] = value);
        if let (Answer::Values(values), true) = (answer, self.sigmoid) {
            line["values"][0]["sigmoid"] = json!(sigmoid(values[0]));
        }
        // What a model has not taken, its answer does not depend on.
        if let Some(Extent { whole, taken, .. }) =
            extent.filter(|extent| extent.taken < extent.whole)
        {
            line["cut"] = json!({"unit": unit, "whole": whole, "taken": taken});
        }
        line
    }
}

/// What was asked.
#[derive(Serialize)]
struct Told<'a> {
    input: String,
    text: Option<&'a str>,
}

/// An answer at so many positions or words with its places in the input; `None`: it is one of the whole.
///
/// # Errors
/// If the input cannot be read any more.
pub fn located<M: Modality>(
    answer: Answer,
    positions: Option<usize>,
    modality: &M,
    item: &Item,
) -> Result<Answer> {
    let Some(positions) = positions else { return Ok(answer) };
    let places = modality.places(&item.input, positions);
    let bad = |cause| Error::BadSamples(vec![BadSample { place: item.place.clone(), cause }]);
    Ok(answer.located(&places.map_err(bad)?))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::data::Input;
    use crate::error::Location;
    use crate::task::Task;

    #[test]
    fn a_line_tells_the_input_the_answer_and_what_was_cut() {
        let place = Location { path: Path::new("a.tsv").into(), line: Some(2) };
        let item = Item::new(Input::Pair(["x".into(), "y".into()]), place);
        let labels = ["similar".to_string()];
        let extent = Some(Extent { whole: 9., taken: 8., at_once: 8. });
        let answer = Answer::Values(vec![0.]);
        let config = TaskConfig {
            task: Task::Regression,
            labels: &labels,
            vocabulary: None,
            scales: &[],
            calibration: None,
        };
        let line = AnswerLine {
            item: &item,
            answer: &answer,
            config,
            sets: None,
            top: 3,
            sigmoid: true,
            extent,
            unit: "tokens",
        };
        let expected = json!({
            "input": "a.tsv:2",
            "text": "x\ty",
            "values": [{"name": "similar", "value": 0.0, "sigmoid": 0.5}],
            "cut": {"unit": "tokens", "whole": 9.0, "taken": 8.0},
        });
        assert_eq!(line.json(), expected);
        let whole = Some(Extent { whole: 8., taken: 8., at_once: 8. });
        let line = AnswerLine { extent: whole, sigmoid: false, ..line };
        let expected = json!({
            "input": "a.tsv:2", "text": "x\ty", "values": [{"name": "similar", "value": 0.0}],
        });
        assert_eq!(line.json(), expected);
    }
}

//! Answers for programs: one form for every task, with the names of labels.

use serde::Serialize;
use serde_json::{Value, json};

use super::answer::Answer;
use super::entities::Entity;
use super::transcript::{SpokenWord, Transcript};

impl Answer {
    /// The answer for programs: an object with one member, which is called as what it holds.
    ///
    /// - `labels`: of classes the `top` most probable, of labels all, each with `label` and
    ///   `probability`, most probable first;
    /// - `values`: numbers, each with `name` and `value`;
    /// - `transcript`: `text` and `words`, each a `word` with `start` and `end` in seconds where its
    ///   place is known, and its `probability`;
    /// - `entities`: as transformers' pipeline has them with `aggregation_strategy="simple"`:
    ///   `entity_group`, `score`, `word`, and `start` and `end` in characters. `text` is the text that
    ///   they are of, if there is one.
    pub fn json(&self, labels: &[String], top: usize, text: Option<&str>) -> Value {
        let ranked = |ranked: &[(usize, f64)]| {
            let one = |&(at, p): &(usize, f64)| Labelled {
                label: labels.get(at).map_or("", String::as_str),
                probability: p as f32,
            };
            ranked.iter().map(one).collect::<Vec<_>>()
        };
        match self {
            Self::Classes(all) => json!({"labels": ranked(&all[..all.len().min(top.max(1))])}),
            Self::Labels(all) => json!({"labels": ranked(all)}),
            Self::Values(values) => {
                let value = |(name, value)| json!({"name": name, "value": value});
                json!({"values": labels.iter().zip(values).map(value).collect::<Vec<_>>()})
            }
            Self::Transcript(heard) => json!({"transcript": Heard::of(heard)}),
            Self::Entities(found) => {
                let entities = found.iter().map(|entity| Group::of(entity, text));
                json!({"entities": entities.collect::<Vec<_>>()})
            }
        }
    }
}

impl Entity {
    /// Its words as the modality writes them, or else as they stand in the text that it was found in, if
    /// that and its place are known.
    pub fn written<'t>(&'t self, text: Option<&'t str>) -> Option<&'t str> {
        if let Some(written) = &self.text {
            return Some(written);
        }
        let (text, [start, end]) = (text?, self.characters?);
        let byte = |at: usize| {
            let ends = text.char_indices().map(|(byte, _)| byte).chain([text.len()]);
            ends.into_iter().nth(at)
        };
        text.get(byte(start)?..byte(end)?)
    }
}

/// A class or label. Probabilities are computed in f32.
#[derive(Serialize)]
struct Labelled<'a> {
    label: &'a str,
    probability: f32,
}

#[derive(Serialize)]
struct Heard<'a> {
    text: &'a str,
    words: Vec<Word<'a>>,
}

impl<'a> Heard<'a> {
    fn of(heard: &'a Transcript) -> Self {
        Self { text: &heard.text, words: heard.words.iter().map(Word::of).collect() }
    }
}

#[derive(Serialize)]
struct Word<'a> {
    word: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<f64>,
    probability: f32,
}

impl<'a> Word<'a> {
    fn of(word: &'a SpokenWord) -> Self {
        let [start, end] = [0, 1].map(|at| word.seconds.map(|seconds| milliseconds(seconds[at])));
        Self { word: &word.word, start, end, probability: word.probability as f32 }
    }
}

/// Seconds to the millisecond: no model is as exact as that.
fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

#[derive(Serialize)]
struct Group<'a> {
    entity_group: &'a str,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    word: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<usize>,
}

impl<'a> Group<'a> {
    fn of(entity: &'a Entity, text: Option<&'a str>) -> Self {
        let [start, end] = [0, 1].map(|at| entity.characters.map(|characters| characters[at]));
        Self {
            entity_group: &entity.label,
            score: entity.probability as f32,
            word: entity.written(text),
            start,
            end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_one_form() {
        let labels = ["cat", "dog"].map(str::to_string);
        let classes = Answer::Classes(vec![(1, 0.75), (0, 0.25)]);
        let expected = json!({"labels": [{"label": "dog", "probability": 0.75}]});
        assert_eq!(classes.json(&labels, 1, None), expected);
        let values = Answer::Values(vec![1.5, -2.]);
        let expected =
            json!({"values": [{"name": "cat", "value": 1.5}, {"name": "dog", "value": -2.0}]});
        assert_eq!(values.json(&labels, 1, None), expected);
        let word = |word: &str, seconds| {
            let (word, positions) = (word.to_string(), [0, 1]);
            SpokenWord { word, probability: 0.5, positions, seconds }
        };
        let words = vec![word("we", Some([0.04, 0.1200001])), word("go", None)];
        let heard = Answer::Transcript(Transcript { text: "we go".into(), words });
        let expected = json!({"transcript": {"text": "we go", "words": [
            {"word": "we", "start": 0.04, "end": 0.12, "probability": 0.5},
            {"word": "go", "probability": 0.5}
        ]}});
        assert_eq!(heard.json(&labels, 1, None), expected);
    }

    #[test]
    fn entities_are_as_transformers_has_them() {
        let entity = Entity {
            label: "LOC".into(),
            probability: 0.5,
            words: [1, 2],
            text: None,
            characters: Some([3, 9]),
        };
        let found = Answer::Entities(vec![entity]);
        let expected = json!({"entities": [
            {"entity_group": "LOC", "score": 0.5, "word": "Zürich", "start": 3, "end": 9}
        ]});
        assert_eq!(found.json(&[], 1, Some("in Zürich")), expected);
        let without = found.json(&[], 1, Some("in")).to_string();
        assert!(!without.contains("word"), "the place is none of this text: {without}");
    }
}

//! What was found in a text: stretches of words that belong together, grouped as transformers'
//! pipeline for token classification groups them with `aggregation_strategy="simple"`. Schemes that it
//! does not know (IOBES, BILOU, BMES, and `B_PER` for `B-PER`) are grouped as they are meant.

use serde::Serialize;
use tch::{Kind, Tensor};

use crate::error::Result;
use crate::modality::Places;
use crate::task::{OUTSIDE, tags};

/// A stretch of words that belong together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entity {
    /// What it is: `PER`.
    pub label: String,
    /// The mean probability of its words' labels.
    pub probability: f64,
    /// Its words: the first, counted from 0, and the one behind the last.
    #[serde(skip)]
    pub words: [usize; 2],
    /// Its text, as the modality writes its words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Where it begins and ends in the text, in characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub characters: Option<[usize; 2]>,
}

impl Entity {
    pub(super) fn located(mut self, places: &Places) -> Self {
        let [first, behind] = self.words;
        let begin = places.words.get(first).map(|word| word.start);
        let end =
            behind.checked_sub(1).and_then(|last| places.words.get(last)).map(|word| word.end);
        self.characters = begin.zip(end).map(|(begin, end)| [begin, end]);
        self.text = places.wording.as_ref().map(|wording| wording.write(first..behind));
        self
    }
}

/// What there is in the scores of one sample, `[W, labels]`.
pub(super) fn entities(labels: &[String], scores: &Tensor) -> Result<Vec<Entity>> {
    if scores.size().first() == Some(&0) {
        return Ok(vec![]);
    }
    let (probability, best) = scores.max_dim(-1, false);
    let best = Vec::<i64>::try_from(best)?;
    let probability = Vec::<f64>::try_from(probability.exp().to_kind(Kind::Double))?;
    let separator = tags::separator(labels.iter().map(String::as_str));
    let mut found: Vec<Entity> = vec![];
    let mut last = None;
    for (at, (&label, &p)) in best.iter().zip(&probability).enumerate() {
        let label = labels.get(label as usize).map_or(OUTSIDE, String::as_str);
        let (place, kind) = parts(label, separator);
        let goes_on = matches!(place, Place::Inside | Place::Last)
            && last.is_some_and(|(place, of)| {
                of == kind && !matches!(place, Place::Last | Place::Single)
            });
        match found.last_mut().filter(|_| goes_on) {
            Some(entity) => {
                entity.words[1] = at + 1;
                entity.probability += p;
            }
            None => found.push(Entity {
                // Of what is in no known form, all behind its first hyphen.
                label: kind.split_once('-').filter(|_| kind == label).map_or(kind, |x| x.1).into(),
                probability: p,
                words: [at, at + 1],
                text: None,
                characters: None,
            }),
        }
        last = Some((place, kind));
    }
    for entity in &mut found {
        entity.probability /= (entity.words[1] - entity.words[0]) as f64;
    }
    found.retain(|entity| entity.label != OUTSIDE);
    Ok(found)
}

/// Which part of its stretch a label says that a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Inside,
    Last,
    Single,
}

/// `B-PER`, `I-PER`, and what transformers does not know: `M-PER` for `I-PER`, `E-PER` or `L-PER`, and
/// `S-PER` or `U-PER`. Any other label is whole, and goes on where it comes again.
fn parts(label: &str, separator: char) -> (Place, &str) {
    match tags::taken_apart(label, separator) {
        Some(('B', kind)) => (Place::First, kind),
        Some(('I' | 'M', kind)) => (Place::Inside, kind),
        Some(('E' | 'L', kind)) => (Place::Last, kind),
        Some(('S' | 'U', kind)) => (Place::Single, kind),
        _ => (Place::Inside, label),
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    /// The entities of words that are labelled so, each with a probability of 0.8.
    fn of(labels: &[&str]) -> Vec<(String, [usize; 2])> {
        let mut names: Vec<String> = labels.iter().map(ToString::to_string).collect();
        names.sort();
        names.dedup();
        let scores = Tensor::full(
            [labels.len() as i64, names.len() as i64],
            0.01f64.ln(),
            (Kind::Float, Device::Cpu),
        );
        for (at, label) in labels.iter().enumerate() {
            let label = names.iter().position(|name| name == label).unwrap();
            let _ = scores.get(at as i64).get(label as i64).fill_(0.8f64.ln());
        }
        let found = entities(&names, &scores).unwrap();
        assert!(found.iter().all(|entity| (entity.probability - 0.8).abs() < 1e-6), "{found:?}");
        found.into_iter().map(|entity| (entity.label, entity.words)).collect()
    }

    #[test]
    fn words_are_grouped_as_transformers_groups_them() {
        let entity = |label: &str, words| (label.to_string(), words);
        let labels = ["B-PER", "I-PER", "O", "I-PER", "B-PER", "I-LOC", "I-LOC", "B-LOC"];
        assert_eq!(
            of(&labels),
            [
                entity("PER", [0, 2]),
                entity("PER", [3, 4]),
                entity("PER", [4, 5]),
                entity("LOC", [5, 7]),
                entity("LOC", [7, 8])
            ]
        );
        assert_eq!(of(&["NOUN", "NOUN", "x-y-z"]), [entity("NOUN", [0, 2]), entity("y-z", [2, 3])]);
        assert_eq!(of(&["O", "O"]), []);
        let labels = ["S-PER", "S-PER", "B-LOC", "E-LOC", "I-LOC", "U-PER"];
        assert_eq!(
            of(&labels),
            [
                entity("PER", [0, 1]),
                entity("PER", [1, 2]),
                entity("LOC", [2, 4]),
                entity("LOC", [4, 5]),
                entity("PER", [5, 6])
            ]
        );
        assert_eq!(
            of(&["B-PER", "M-PER", "M-PER", "E-PER", "M-PER", "S-LOC"]),
            [entity("PER", [0, 4]), entity("PER", [4, 5]), entity("LOC", [5, 6])]
        );
        assert_eq!(
            of(&["B_PER", "I_PER", "O", "B_PER", "B_LOC", "I_LOC"]),
            [entity("PER", [0, 2]), entity("PER", [3, 4]), entity("LOC", [4, 6])]
        );
        assert_eq!(of(&["B_12", "B_12", "O"]), [entity("B_12", [0, 2])]);
        assert!(
            entities(&[], &Tensor::zeros([0, 3], (Kind::Float, Device::Cpu))).unwrap().is_empty()
        );
    }
}

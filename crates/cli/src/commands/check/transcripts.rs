//! What is in the texts of a data set for transcription.

use std::collections::HashSet;

use crosstune_core::{
    Dataset, Target, Task,
    data::{Extent as Length, Item, Split},
};
use serde::Serialize;

use super::extent::Extent;
use crate::output::format::{count, line, percent};

/// The unit of lengths that tell how fast a text is spoken.
pub(super) const UNIT: &str = "seconds";

/// So many positions a second have the usual models of speech.
const POSITIONS: f64 = 50.;

/// What is in the texts of all splits together, and how the held-out ones differ.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Transcripts {
    /// How many characters a text has.
    characters: Extent,
    /// How many words a text has.
    words: Extent,
    /// How many symbols are spoken in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    symbols_per_second: Option<Extent>,
    /// Recordings with fewer positions than their texts have symbols, at 50 positions a second.
    too_short: Vec<String>,
    /// How the held-out texts differ from those of the training.
    held_out: Vec<HeldOut>,
}

/// The texts of a split that is not trained on.
#[derive(Debug, PartialEq, Serialize)]
struct HeldOut {
    split: String,
    texts: usize,
    /// How many have characters that no symbol has.
    unknown_symbols: usize,
    /// How many are in the training split, too, word by word.
    in_training: usize,
    words: usize,
    /// How many of the words no training text has.
    unseen_words: usize,
}

impl Transcripts {
    /// What is in the texts of a data set; `None`: it has none. `lengths` are those of all its items in
    /// seconds, where inputs have such.
    pub(super) fn of(data: &Dataset, lengths: &[Option<Length>]) -> Option<Self> {
        let vocabulary = data.vocabulary.as_ref().filter(|_| data.task == Task::Transcription)?;
        let encoder = vocabulary.encoder(&data.labels);
        let text = |item: &Item| match &item.target {
            Target::Text { text, .. } => vocabulary.case.apply(text),
            _ => String::new(),
        };
        let (mut characters, mut words, mut rates) = (vec![], vec![], vec![]);
        let mut too_short = vec![];
        for (at, (_, item)) in data.items().enumerate() {
            let text = text(item);
            let letters: usize = text.split_whitespace().map(|word| word.chars().count()).sum();
            let spoken = text.split_whitespace().count();
            characters.push((letters + spoken.saturating_sub(1)) as f64);
            words.push(spoken as f64);
            let Some(Some(length)) = lengths.get(at) else { continue };
            let Target::Text { symbols, .. } = &item.target else { continue };
            if length.whole > 0. {
                rates.push(symbols.len() as f64 / length.whole);
            }
            // Between two equal symbols is a blank.
            let needed = symbols.len() + symbols.windows(2).filter(|two| two[0] == two[1]).count();
            let positions = (length.taken * POSITIONS).floor() as usize;
            if positions < needed {
                too_short.push(format!(
                    "{}: {:.2} seconds for a text that takes {needed} positions",
                    item.place, length.taken
                ));
            }
        }
        let seen: HashSet<String> =
            data.train.iter().map(|item| in_one_line(&text(item))).collect();
        let known: HashSet<&str> = seen.iter().flat_map(|text| text.split(' ')).collect();
        let splits = [(Split::Validation, &data.validation), (Split::Test, &data.test)];
        let held_out = splits.into_iter().filter(|(_, items)| !items.is_empty());
        let held_out = held_out.map(|(split, items)| {
            let texts: Vec<String> = items.iter().map(|item| in_one_line(&text(item))).collect();
            let unknown = |text: &&String| !encoder.encode(text).1.is_empty();
            let words = || texts.iter().flat_map(|text| text.split(' ')).filter(|w| !w.is_empty());
            HeldOut {
                split: split.to_string(),
                texts: texts.len(),
                unknown_symbols: texts.iter().filter(unknown).count(),
                in_training: texts.iter().filter(|text| seen.contains(*text)).count(),
                words: words().count(),
                unseen_words: words().filter(|word| !known.contains(word)).count(),
            }
        });
        Some(Self {
            held_out: held_out.collect(),
            characters: Extent::of(characters)?,
            words: Extent::of(words)?,
            symbols_per_second: Extent::of(rates),
            too_short,
        })
    }

    /// The same in lines for people, but those that are too short.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            line("text", self.characters.shown("characters")),
            line("", self.words.shown("words")),
        ];
        if let Some(rate) = &self.symbols_per_second {
            lines.push(line("pace", rate.shown("symbols a second")));
        }
        for held in &self.held_out {
            let HeldOut { split, texts, unknown_symbols, in_training, words, unseen_words } = held;
            let of = |n: &usize, all: &usize| percent(*n as f64 / (*all).max(1) as f64);
            let mut told = format!(
                "{} of its words are in no training text, {} of its texts are in one",
                of(unseen_words, words),
                of(in_training, texts)
            );
            if *unknown_symbols > 0 {
                let n = count(*unknown_symbols);
                told = format!("{told}, {n} of them have characters without a symbol");
            }
            lines.push(line(split, told));
        }
        lines
    }

    /// The recordings that may be too short for their texts.
    pub(super) fn too_short(&self) -> &[String] {
        &self.too_short
    }
}

/// A text with one space between its words.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use crosstune_core::task::Vocabulary;

    use super::*;

    /// A data set of these texts, of which the first are to train on and the others to test on.
    fn data(train: &[&str], test: &[&str]) -> Dataset {
        let (labels, vocabulary) = Vocabulary::of(train.iter().copied(), Default::default());
        let item = |text: &&str| Item {
            target: Target::Text {
                text: text.to_string(),
                symbols: vocabulary.encode(text, &labels).0,
            },
            ..Item::file("x.wav".as_ref())
        };
        let [train, test] = [train, test].map(|texts| texts.iter().map(item).collect());
        Dataset {
            path: "x".into(),
            task: Task::Transcription,
            train,
            validation: vec![],
            test,
            labels,
            vocabulary: Some(vocabulary),
            ignored: vec![],
            bad: vec![],
            notes: vec![],
        }
    }

    #[test]
    fn texts_are_measured_and_compared_with_those_of_the_training() {
        let data = data(&["a bb", "ab", "aa"], &["a  bb", "c ab c", "b"]);
        let second = Length { whole: 0.5, taken: 0.1, at_once: 0.1 };
        let mut lengths = vec![Some(second); 6];
        lengths[4] = None;
        let texts = Transcripts::of(&data, &lengths).unwrap();
        // `a bb` has four symbols, and a blank between the last two: five positions, as there are.
        assert_eq!(texts.too_short, [""; 0]);
        assert_eq!(
            texts.lines().join("\n"),
            [
                line("text", "1 to 6 characters, median 4"),
                line("", "1 to 3 words, median 2"),
                line("pace", "2 to 8 symbols a second, median 4"),
                line(
                    "test",
                    "50.0 % of its words are in no training text, 33.3 % of its texts are in one, 1 \
                     of them have characters without a symbol"
                ),
            ]
            .join("\n")
        );
        let short = Length { taken: 0.09, ..second };
        let texts = Transcripts::of(&data, &[Some(short)]).unwrap();
        assert_eq!(texts.too_short, ["x.wav: 0.09 seconds for a text that takes 5 positions"]);
        let other = Dataset { task: Task::SingleLabel, ..data };
        assert_eq!(Transcripts::of(&other, &lengths), None);
    }
}

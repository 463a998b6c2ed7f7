//! What there is of labelled words in a data set: words, spans by type, and how they are written.

use std::collections::{BTreeMap, HashSet};

use crosstune_core::{
    Dataset, Item, Target, Task,
    data::Input,
    error::printable,
    task::{Scheme, Span},
};
use serde::Serialize;

use crate::output::format::{count, line, percent};

/// The labelled words of a data set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Tags {
    scheme: Scheme,
    /// In each split that has any.
    splits: Vec<SplitTags>,
}

/// Those of one split.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct SplitTags {
    split: String,
    sentences: usize,
    words: usize,
    /// The most words of a sentence.
    longest: usize,
    /// How many spans there are of each type; where labels have no prefixes and no `O`, words.
    spans: BTreeMap<String, usize>,
    /// How many labels break the scheme, and are repaired where spans are counted.
    repaired: usize,
    /// The fraction of words that no training sentence has; of training words nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    unseen: Option<f64>,
}

impl Tags {
    /// Those of a data set, if words are labelled in it.
    pub(crate) fn of(data: &Dataset) -> Option<Self> {
        if data.task != Task::Tagging {
            return None;
        }
        let names = |item: &Item| match &item.target {
            Target::Tags(tags) => tags.iter().map(|&tag| data.labels[tag].as_str()).collect(),
            _ => vec![],
        };
        let training: Vec<Vec<&str>> = data.train.iter().map(names).collect();
        let scheme = Scheme::of_sentences(&training);
        let known: HashSet<&String> = data.train.iter().flat_map(words).collect();
        let splits =
            [("train", &data.train), ("validation", &data.validation), ("test", &data.test)];
        let of = |(split, items): (&str, &Vec<Item>)| {
            let mut tags = SplitTags {
                split: split.into(),
                sentences: items.len(),
                words: 0,
                longest: 0,
                spans: BTreeMap::new(),
                repaired: 0,
                unseen: None,
            };
            let mut unseen = 0;
            for item in items {
                let labels: Vec<&str> = names(item);
                tags.words += labels.len();
                tags.longest = tags.longest.max(labels.len());
                tags.repaired += scheme.broken(&labels);
                for Span { kind, .. } in scheme.spans(labels) {
                    *tags.spans.entry(kind).or_default() += 1;
                }
                unseen += words(item).iter().filter(|word| !known.contains(word)).count();
            }
            tags.unseen = (split != "train").then(|| unseen as f64 / tags.words.max(1) as f64);
            tags
        };
        let splits = splits.into_iter().filter(|(_, items)| !items.is_empty()).map(of).collect();
        Some(Self { scheme, splits })
    }

    /// What is said above the table.
    pub(crate) fn lines(&self) -> Vec<String> {
        let each = |value: &dyn Fn(&SplitTags) -> Option<String>| {
            let all = self.splits.iter();
            let all = all.filter_map(|of| Some(format!("{} in {}", value(of)?, of.split)));
            all.collect::<Vec<_>>().join(", ")
        };
        let mut lines = vec![
            line("scheme", self.scheme),
            line("words", each(&|of| Some(count(of.words)))),
            line(
                "longest",
                format!("words of a sentence: {}", each(&|of| Some(count(of.longest)))),
            ),
        ];
        let unseen = each(&|of| of.unseen.map(percent));
        if !unseen.is_empty() {
            lines.push(line("unseen", format!("words that training lacks: {unseen}")));
        }
        if self.splits.iter().any(|of| of.repaired > 0) {
            let repaired = each(&|of| (of.repaired > 0).then(|| count(of.repaired)));
            lines.push(line("repaired", format!("labels that break the scheme: {repaired}")));
        }
        lines
    }

    /// How many spans, or words, of each type there are in each split.
    pub(crate) fn table(&self) -> Vec<String> {
        let mut all = BTreeMap::<&String, usize>::new();
        for (kind, spans) in self.splits.iter().flat_map(|of| &of.spans) {
            *all.entry(kind).or_default() += spans;
        }
        let widest = all.keys().map(|kind| printable(kind).chars().count()).max().unwrap_or(0);
        let what = if self.scheme.has_prefixes() { "spans" } else { self.scheme.counts() };
        let width = widest.max(what.len());
        let row = |name: &str, cell: &dyn Fn(&SplitTags) -> String| {
            let cells: String =
                self.splits.iter().map(|of| format!("  {:>10}", cell(of))).collect();
            format!("{name:<width$}{cells}")
        };
        let mut lines = vec![row(what, &|of| of.split.clone())];
        for kind in all.keys() {
            let spans = |of: &SplitTags| count(of.spans.get(*kind).copied().unwrap_or(0));
            lines.push(row(&printable(kind), &spans));
        }
        lines.push(row("all", &|of| count(of.spans.values().sum())));
        lines
    }
}

/// The spans of a sentence in a line, `PER 1-2, LOC 7`, by words counted from 1; of labels without
/// prefixes and `O`, the labels.
pub(super) fn brief(tags: &[usize], labels: &[String]) -> String {
    let scheme = Scheme::of_labels(labels.iter().map(String::as_str));
    let named = tags.iter().map(|&tag| labels.get(tag).map_or("?", String::as_str));
    if scheme == Scheme::Plain {
        return named.collect::<Vec<_>>().join(" ");
    }
    let span = |Span { kind, start, end }: Span| match end - start {
        1 => format!("{kind} {end}"),
        _ => format!("{kind} {}-{end}", start + 1),
    };
    let spans: Vec<_> = scheme.spans(named).into_iter().map(span).collect();
    if spans.is_empty() { "no spans".into() } else { spans.join(", ") }
}

/// The words of a sentence.
fn words(item: &Item) -> &[String] {
    match &item.input {
        Input::Words(words) => words,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crosstune_core::{Layout, data::InputKind};

    use super::*;

    #[test]
    fn a_sentence_is_told_by_its_spans() {
        let labels = ["B-LOC", "B-PER", "I-PER", "O"].map(str::to_string);
        assert_eq!(brief(&[1, 2, 3, 0], &labels), "PER 1-2, LOC 4");
        assert_eq!(brief(&[3, 3], &labels), "no spans");
        assert_eq!(brief(&[1, 0], &["NN", "VB"].map(str::to_string)), "VB NN");
    }

    #[test]
    fn words_and_spans_are_counted_by_split() {
        let root = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(root.path().join(name), text).unwrap();
        write("train.conll", "EU\tB-ORG\nof\tI-ORG\nis\tO\n\nEU\tB-ORG\n");
        write("test.conll", "UN\tI-ORG\nis\tO\nof\tO\nso\tO\n");
        let layout = Layout::new(InputKind::Texts, "sentences", &["txt"]);
        let layout = Layout { task: Task::Tagging, ..layout };
        let tags = Tags::of(&Dataset::open(root.path(), &layout).unwrap()).unwrap();
        assert_eq!(
            tags.lines(),
            [
                "scheme      IOB2",
                "words       4 in train, 4 in test",
                "longest     words of a sentence: 3 in train, 4 in test",
                "unseen      words that training lacks: 50.0 % in test",
                "repaired    labels that break the scheme: 1 in test",
            ]
        );
        assert_eq!(
            tags.table(),
            [
                "spans       train        test",
                "ORG             2           1",
                "all             2           1",
            ]
        );
    }
}

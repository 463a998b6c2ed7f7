//! Labels of words: the schemes that they are written in, and the spans that they mean.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A stretch of words that belong together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// What it is: `PER`.
    pub kind: String,
    /// Its first word, counted from 0.
    pub start: usize,
    /// The word behind its last.
    pub end: usize,
}

/// How the labels of words tell which words belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// `I-`, and `B-` where a span follows another of its type.
    Iob1,
    /// `B-` begins a span, `I-` goes on.
    #[default]
    Iob2,
    /// `E-` ends a span, `I-` stands before.
    Ioe2,
    /// `B-` begins a span, `I-` goes on, `E-` ends it, `S-` is one of a single word.
    Iobes,
    /// The same with `L-` for `E-` and `U-` for `S-`.
    Bilou,
    /// No prefix: neighbours with the same label are one span, apart from those with `O`.
    Io,
    /// No prefix and no `O`: a label for every word, as of parts of speech.
    Plain,
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Iob1 => "IOB1",
            Self::Iob2 => "IOB2",
            Self::Ioe2 => "IOE2",
            Self::Iobes => "IOBES",
            Self::Bilou => "BILOU",
            Self::Io => "IO",
            Self::Plain => "plain",
        })
    }
}

/// The label of words that are in no span.
pub const OUTSIDE: &str = "O";

impl Scheme {
    /// The scheme that labels are written in. IOB1 cannot be told from IOB2 by labels alone: see
    /// [`of_sentences`](Self::of_sentences).
    pub fn of_labels<'l>(labels: impl IntoIterator<Item = &'l str>) -> Self {
        let labels: BTreeSet<&str> = labels.into_iter().collect();
        let between = separator(labels.iter().copied());
        let (prefixed, bare): (Vec<_>, Vec<_>) = labels
            .iter()
            .copied()
            .filter(|label| *label != OUTSIDE)
            .partition(|label| taken_apart(label, between).is_some());
        let has = |prefix: char| prefixed.iter().any(|label| label.starts_with(prefix));
        match labels.contains(OUTSIDE) {
            true if bare.len() > prefixed.len() => Self::Io,
            false if bare.len() > prefixed.len() => Self::Plain,
            _ if has('L') || has('U') => Self::Bilou,
            _ if has('S') || (has('E') && has('B')) => Self::Iobes,
            _ if has('E') => Self::Ioe2,
            _ => Self::Iob2,
        }
    }

    /// The same, where sentences show whether a span needs its `B-`.
    pub fn of_sentences<'l, S: AsRef<[&'l str]>>(sentences: &[S]) -> Self {
        let labels = sentences.iter().flat_map(|labels| labels.as_ref().iter().copied());
        Self::of_labelled(labels, sentences)
    }

    /// The scheme of a model's labels, whichever of them `sentences` have: these only show whether a
    /// span needs its `B-`.
    pub fn of_labelled<'l, 's, S: AsRef<[&'s str]>>(
        labels: impl IntoIterator<Item = &'l str>,
        sentences: &[S],
    ) -> Self {
        let scheme = Self::of_labels(labels);
        if scheme != Self::Iob2 {
            return scheme;
        }
        let broken = |scheme: Self| -> usize {
            sentences.iter().map(|labels| scheme.broken(labels.as_ref())).sum()
        };
        if broken(Self::Iob1) < broken(Self::Iob2) { Self::Iob1 } else { Self::Iob2 }
    }

    /// Whether labels have a prefix that tells a word's place in its span.
    pub fn has_prefixes(self) -> bool {
        !matches!(self, Self::Io | Self::Plain)
    }

    /// What is counted: spans or words.
    pub fn counts(self) -> &'static str {
        if self == Self::Plain { "words" } else { "spans" }
    }

    /// The spans of a sentence's labels, in order, as `seqeval` finds them by default in labels with
    /// prefixes: what breaks the scheme is repaired. Of plain labels, each word is a span.
    pub fn spans<'l>(self, labels: impl IntoIterator<Item = &'l str>) -> Vec<Span> {
        let labels = labels.into_iter();
        let one = |kind: &str, start, end| Span { kind: kind.into(), start, end };
        match self {
            Self::Plain => labels.enumerate().map(|(at, kind)| one(kind, at, at + 1)).collect(),
            Self::Io => {
                let mut found: Vec<Span> = vec![];
                for (at, kind) in labels.enumerate().filter(|(_, label)| *label != OUTSIDE) {
                    match found.last_mut() {
                        Some(span) if span.kind == kind && span.end == at => span.end = at + 1,
                        _ => found.push(one(kind, at, at + 1)),
                    }
                }
                found
            }
            _ => repaired(labels),
        }
    }

    /// How many of a sentence's labels break the scheme. None do where there are no prefixes.
    pub fn broken(self, labels: &[&str]) -> usize {
        if !self.has_prefixes() {
            return 0;
        }
        let part = |at: usize| labels.get(at).map_or(('O', "_"), |label| parts(label));
        let breaks = |at: &usize| {
            let before = at.checked_sub(1).map_or(('O', "_"), part);
            let (here, behind) = (part(*at), part(at + 1));
            let begun = before.1 == here.1;
            let going = begun && matches!(before.0, 'B' | 'I');
            let goes_on = here.1 == behind.1 && matches!(behind.0, 'I' | 'E');
            match (self, here.0) {
                (_, 'O') => false,
                (Self::Iob1, 'B') => !going,
                (Self::Iob1, place) => place != 'I',
                (Self::Iob2, 'I') => !going,
                (Self::Iob2, place) => place != 'B',
                (Self::Ioe2, 'I') => !goes_on,
                (Self::Ioe2, place) => place != 'E',
                (_, 'B') => !goes_on,
                (_, 'I') => !going || !goes_on,
                (_, 'E') => !going,
                (_, place) => place != 'S',
            }
        };
        (0..labels.len()).filter(breaks).count()
    }
}

/// The spans of labels in whatever scheme they are: see [`Scheme::spans`].
pub fn spans<'l>(labels: impl IntoIterator<Item = &'l str>) -> Vec<Span> {
    repaired(labels.into_iter())
}

/// Whether a label is written as `B-PER`.
pub(crate) fn has_prefix(label: &str) -> bool {
    taken_apart(label, '-').is_some()
}

/// What stands between the place and the type in labels: `-`, or `_` where all of them but `O` are
/// written as `B_PER`, and each type that an `I_` goes on with has its `B_`. Else a name has an
/// underscore by chance.
pub(crate) fn separator<'l>(labels: impl IntoIterator<Item = &'l str>) -> char {
    let (mut begun, mut going) = (BTreeSet::new(), BTreeSet::new());
    for label in labels.into_iter().filter(|label| *label != OUTSIDE) {
        match taken_apart(label, '_') {
            None => return '-',
            Some(('B', kind)) => drop(begun.insert(kind)),
            Some(('I' | 'M', kind)) => drop(going.insert(kind)),
            Some(_) => {}
        }
    }
    if !going.is_empty() && going.is_subset(&begun) { '_' } else { '-' }
}

/// The place in its span that a label gives its word, and what the span is: of `B-PER`, `B` and `PER`.
/// `None`: it has no such prefix.
pub(crate) fn taken_apart(label: &str, separator: char) -> Option<(char, &str)> {
    let (place, kind) = label.split_once(separator)?;
    let mut letters = place.chars();
    match (letters.next(), letters.next()) {
        (Some(place @ ('B' | 'I' | 'E' | 'S' | 'L' | 'U' | 'M')), None) if !kind.is_empty() => {
            Some((place, kind))
        }
        _ => None,
    }
}

/// Whether a label has its place in a scheme with prefixes.
pub(crate) fn is_placed(label: &str) -> bool {
    has_prefix(label) || label == OUTSIDE
}

/// The same as `seqeval` takes labels apart, also those without a prefix. `L-`, `U-` and `M-`, which it
/// does not know, are other names of `E-`, `S-` and `I-`; and of `B_PER`, its type would be `_PER`.
fn parts(label: &str) -> (char, &str) {
    if let Some((place, kind)) = taken_apart(label, '-').or_else(|| taken_apart(label, '_')) {
        let place = match place {
            'L' => 'E',
            'U' => 'S',
            'M' => 'I',
            place => place,
        };
        return (place, kind);
    }
    let mut letters = label.chars();
    let place = letters.next().unwrap_or('O');
    let rest = letters.as_str();
    let kind = rest.split_once('-').map_or(rest, |(_, kind)| kind);
    (place, if kind.is_empty() { "_" } else { kind })
}

/// `seqeval.metrics.sequence_labeling.get_entities`.
fn repaired<'l>(labels: impl Iterator<Item = &'l str>) -> Vec<Span> {
    let (mut found, mut start) = (vec![], 0);
    let mut before = ('O', "");
    for (at, label) in labels.chain([OUTSIDE]).enumerate() {
        let here = parts(label);
        if ends(before, here) {
            found.push(Span { kind: before.1.into(), start, end: at });
        }
        if starts(before, here) {
            start = at;
        }
        before = here;
    }
    found
}

/// Whether a span ends between two words.
fn ends((before, kind): (char, &str), (here, next): (char, &str)) -> bool {
    matches!(before, 'E' | 'S')
        || matches!((before, here), ('B' | 'I', 'B' | 'S' | 'O'))
        || (!matches!(before, 'O' | '.') && kind != next)
}

/// Whether a span starts at the second of two words.
fn starts((before, kind): (char, &str), (here, next): (char, &str)) -> bool {
    matches!(here, 'B' | 'S')
        || matches!((before, here), ('E' | 'S' | 'O', 'E' | 'I'))
        || (!matches!(here, 'O' | '.') && kind != next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(text: &str) -> Vec<&str> {
        text.split(' ').collect()
    }

    fn shown(scheme: Scheme, text: &str) -> String {
        let spans = scheme.spans(labels(text));
        let shown = spans.iter().map(|s| format!("{}:{}-{}", s.kind, s.start, s.end));
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_scheme_is_told_by_its_labels() {
        for (text, scheme) in [
            ("O B-a I-a", Scheme::Iob2),
            ("O O", Scheme::Iob2),
            ("B-a I-a B-a", Scheme::Iob2),
            ("O I-a I-a B-a", Scheme::Iob1),
            ("O I-a I-b", Scheme::Iob1),
            ("O I-a E-a", Scheme::Ioe2),
            ("O B-a E-a", Scheme::Iobes),
            ("O S-a", Scheme::Iobes),
            ("O B-a L-a U-b", Scheme::Bilou),
            ("O person person", Scheme::Io),
            ("NN VB -LRB- B-a", Scheme::Plain),
            ("O B_a I_a", Scheme::Iob2),
            ("O I_a I_a B_a", Scheme::Iob1),
            ("O B_a M_a E_a S_b", Scheme::Iobes),
            // Some are not written so, nothing goes on, or what goes on never begins.
            ("O B_a I_a person", Scheme::Io),
            ("O B_12 S_2", Scheme::Io),
            ("O B_a I_b", Scheme::Io),
            ("B_x I_y I_x", Scheme::Plain),
        ] {
            assert_eq!(Scheme::of_sentences(&[labels(text)]), scheme, "{text}");
        }
        // Most sentences decide: one that breaks IOB2 makes no IOB1.
        let sentences = ["O B-a I-a", "O B-a", "O I-a"].map(labels);
        assert_eq!(Scheme::of_sentences(&sentences), Scheme::Iob2);
        // All labels of a model decide, also those that no sentence has.
        let of = |model, text| Scheme::of_labelled(labels(model), &[labels(text)]);
        assert_eq!(of("NN O VB", "NN VB"), Scheme::Io);
        assert_eq!(of("B-a E-a O", "O O"), Scheme::Iobes);
        assert_eq!(of("B-a I-a O", "O I-a"), Scheme::Iob1);
    }

    #[test]
    fn every_scheme_has_the_same_spans() {
        for (scheme, text) in [
            (Scheme::Iob1, "O I-a I-a B-a I-b O"),
            (Scheme::Iob2, "O B-a I-a B-a B-b O"),
            (Scheme::Ioe2, "O I-a E-a E-a E-b O"),
            (Scheme::Iobes, "O B-a E-a S-a S-b O"),
            (Scheme::Bilou, "O B-a L-a U-a U-b O"),
            (Scheme::Iobes, "O M-a E-a S-a S-b O"),
            (Scheme::Iob2, "O B_a I_a B_a B_b O"),
            (Scheme::Bilou, "O B_a L_a U_a U_b O"),
        ] {
            assert_eq!(shown(scheme, text), "a:1-3 a:3-4 b:4-5", "{scheme}");
            assert_eq!(scheme.broken(&labels(text)), usize::from(text.contains('M')), "{scheme}");
        }
        assert_eq!(shown(Scheme::Io, "O a a b O b"), "a:1-3 b:3-4 b:5-6");
        assert_eq!(shown(Scheme::Plain, "N N V"), "N:0-1 N:1-2 V:2-3");
        assert_eq!(shown(Scheme::Iob2, "B-a-b I-a-b B"), "a-b:0-2 _:2-3");
    }

    #[test]
    fn labels_that_break_a_scheme_are_counted() {
        for (scheme, text, broken) in [
            (Scheme::Iob2, "I-a I-a O I-b", 2),
            (Scheme::Iob2, "B-a I-b I-b E-b", 2),
            (Scheme::Iob1, "B-a I-a O B-a", 2),
            (Scheme::Ioe2, "I-a I-a O B-a", 2),
            (Scheme::Iobes, "B-a I-a O E-a S-a I-a", 3),
            (Scheme::Bilou, "B-a L-a U-b I-b", 1),
            (Scheme::Io, "a b", 0),
            (Scheme::Plain, "B-a I-b", 0),
        ] {
            assert_eq!(scheme.broken(&labels(text)), broken, "{scheme}: {text}");
        }
    }
}

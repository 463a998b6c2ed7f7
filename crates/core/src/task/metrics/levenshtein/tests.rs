//! Against jiwer 4, by `xtask/scripts/fixtures/transcription.py`, and against the definition.

use std::fs;

use super::{Edit, MATRIX, align, alignment};
use crate::task::metrics::Edits;
use crate::task::metrics::transcription::{TranscriptionMetrics, Utterance};

#[test]
fn edits_are_those_of_jiwer() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/transcription/jiwer.tsv");
    let text = fs::read_to_string(path).unwrap();
    let mut lines = 0;
    for line in text.lines() {
        let [reference, hypothesis, counts @ ..] = &line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let counts: Vec<usize> = counts.iter().map(|count| count.parse().unwrap()).collect();
        let [words, characters] =
            [Edits::of_words(reference, hypothesis), Edits::of_characters(reference, hypothesis)]
                .map(|e| [e.hits, e.substitutions, e.deletions, e.insertions]);
        assert_eq!([words, characters].concat(), counts, "{reference}\t{hypothesis}");
        lines += 1;
    }
    assert_eq!(lines, 1000);
}

/// The edits of a long sequence with every seventh element another and every eleventh missing.
fn long(length: usize) -> (Vec<usize>, Vec<usize>) {
    let reference: Vec<usize> = (0..length).map(|at| at * at % 97).collect();
    let changed = |(at, one): (usize, &usize)| match (at % 7, at % 11) {
        (_, 0) => None,
        (0, _) => Some(1000 + at % 3),
        _ => Some(*one),
    };
    let hypothesis = reference.iter().enumerate().filter_map(changed).collect();
    (reference, hypothesis)
}

#[test]
fn an_alignment_accounts_for_every_element_and_costs_least() {
    for length in [3, 64, 65, 200, 3000] {
        let (reference, hypothesis) = long(length);
        let edits = alignment(&reference, &hypothesis);
        let (mut a, mut b, mut errors) = (0, 0, 0);
        for edit in edits {
            match edit {
                Edit::Hit => assert_eq!(reference[a], hypothesis[b]),
                Edit::Substitution => assert_ne!(reference[a], hypothesis[b]),
                Edit::Deletion | Edit::Insertion => {}
            }
            a += usize::from(edit != Edit::Insertion);
            b += usize::from(edit != Edit::Deletion);
            errors += usize::from(edit != Edit::Hit);
        }
        assert_eq!((a, b), (reference.len(), hypothesis.len()));
        // Wagner and Fischer 1974, two rows.
        let mut row: Vec<usize> = (0..=hypothesis.len()).collect();
        for (at, one) in reference.iter().enumerate() {
            let mut next = vec![at + 1];
            for (column, other) in hypothesis.iter().enumerate() {
                let diagonal = row[column] + usize::from(one != other);
                next.push(diagonal.min(row[column + 1] + 1).min(next[column] + 1));
            }
            row = next;
        }
        assert_eq!(errors, row[hypothesis.len()], "{length}");
    }
}

#[test]
fn an_hour_of_speech_is_aligned_in_little_memory() {
    let (reference, hypothesis) = long(40_000);
    assert!(reference.len() * hypothesis.len() / 4 > MATRIX);
    let mut edits = vec![];
    align(&reference, &hypothesis, usize::MAX / 4, &mut edits);
    let errors = edits.iter().filter(|edit| **edit != Edit::Hit).count();
    let most = 40_000 - 40_000 * 6 / 7 * 10 / 11;
    assert!((7000..=most).contains(&errors), "{errors}");
}

#[test]
fn groups_and_rates_are_those_of_their_utterances() {
    let utterance = |reference: &str, hypothesis: &str, group: &str| Utterance {
        reference: reference.into(),
        hypothesis: hypothesis.into(),
        group: Some(group.into()),
    };
    let all = [
        utterance("a b c d", "a b c d", "ann"),
        utterance("a b", "a x", "bob"),
        utterance("aa bb", "aa", "ann"),
    ];
    let found = TranscriptionMetrics::of(&all, 0.5);
    assert_eq!((found.samples, found.loss, found.wer), (3, 0.5, 0.25));
    let [ann, bob] = &found.groups[..] else { panic!("{found:?}") };
    assert_eq!((ann.name.as_str(), ann.samples, ann.wer), ("ann", 2, 1. / 6.));
    assert_eq!((bob.name.as_str(), bob.samples, bob.wer, bob.cer), ("bob", 1, 0.5, 1. / 3.));
    let [low, high] = found.wer_interval.unwrap();
    assert!(low <= 0.25 && (0.25..=0.5).contains(&high));

    // What an earlier version wrote.
    let mut written = serde_json::to_value(&found).unwrap();
    for new in ["wer_interval", "cer_interval", "groups"] {
        written.as_object_mut().unwrap().remove(new).unwrap();
    }
    let read: TranscriptionMetrics = serde_json::from_value(written).unwrap();
    assert_eq!((read.wer, read.wer_interval, read.groups.len()), (0.25, None, 0));
    assert_eq!(TranscriptionMetrics::of(&[], 0.).wer, 0.);
}

//! What should be said of the texts of a data set for transcription.

use std::collections::{BTreeMap, HashSet};

use unicode_normalization::is_nfc;

use super::found::{Found, RawTarget};
use super::item::Split;
use crate::task::Vocabulary;

/// How many characters one note lists.
const LISTED: usize = 10;

/// In fewer training texts than these, a symbol is hardly learned.
pub const RARE: usize = 3;

/// Characters, each with the number of texts that have it.
type Counts = BTreeMap<char, usize>;

/// What there is to say of the texts of a split: characters that have no symbol, and, of training
/// texts, symbols that are rare or cannot be seen, and letters in two forms.
pub(super) fn notes(
    split: Split,
    found: &[Found],
    symbols: &[String],
    vocabulary: &Vocabulary,
) -> Vec<String> {
    let texts: Vec<&str> = texts(found).collect();
    let mut notes: Vec<String> =
        without_symbols(split, &texts, symbols, vocabulary).into_iter().collect();
    if split != Split::Train {
        return notes;
    }
    let mut counts = Counts::new();
    for text in &texts {
        count(vocabulary.case.apply(text).chars().filter(|c| !c.is_whitespace()), &mut counts);
    }
    let known: HashSet<&str> = symbols.iter().map(String::as_str).collect();
    counts.retain(|letter, _| known.contains(letter.encode_utf8(&mut [0; 4]) as &str));
    let unseen: Counts = counts.iter().filter(|(c, _)| is_unseen(**c)).map(own).collect();
    if !unseen.is_empty() {
        notes.push(format!(
            "symbols that cannot be seen: {}; they are in the texts, and counted as errors where a \
             model does not write them",
            listed(&unseen)
        ));
    }
    let rare: Counts = counts.iter().filter(|(_, n)| **n < RARE).map(own).collect();
    if !rare.is_empty() && texts.len() >= 10 * RARE {
        notes.push(format!("symbols in fewer than {RARE} training texts: {}", listed(&rare)));
    }
    let decomposed = texts.iter().filter(|text| !is_nfc(text)).count();
    if decomposed > 0 {
        notes.push(format!(
            "{decomposed} of the texts are not in Unicode's composed form (NFC): a letter and its \
             accent are two symbols there; normalise them if that is not meant"
        ));
    }
    notes
}

/// Characters of texts that have no symbol.
fn without_symbols(
    split: Split,
    texts: &[&str],
    symbols: &[String],
    vocabulary: &Vocabulary,
) -> Option<String> {
    let (mut counts, mut having) = (Counts::new(), 0);
    let encoder = vocabulary.encoder(symbols);
    for text in texts {
        let missing = encoder.encode(text).1;
        having += usize::from(!missing.is_empty());
        count(missing.into_iter(), &mut counts);
    }
    let what = match (split, vocabulary.unknown.and_then(|at| symbols.get(at))) {
        (Split::Train, Some(unknown)) => format!("they are learned as {unknown}"),
        (Split::Train, None) => "they are left out there".into(),
        _ => "a model cannot write them, and each counts as an error".into(),
    };
    (having > 0).then(|| {
        format!(
            "{having} of the {} {split} texts have characters without a symbol: {}; {what}",
            texts.len(),
            listed(&counts)
        )
    })
}

fn texts(found: &[Found]) -> impl Iterator<Item = &str> {
    found.iter().filter_map(|found| match &found.label {
        RawTarget::Text(text) => Some(text.as_str()),
        _ => None,
    })
}

/// Counts each character of a text once.
fn count(letters: impl Iterator<Item = char>, counts: &mut Counts) {
    let mut letters: Vec<char> = letters.collect();
    letters.sort_unstable();
    letters.dedup();
    letters.into_iter().for_each(|letter| *counts.entry(letter).or_default() += 1);
}

fn own((letter, n): (&char, &usize)) -> (char, usize) {
    (*letter, *n)
}

/// Whether it leaves no mark of its own: control characters, and those that only guide how others are
/// drawn.
fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
}

/// The most frequent characters, with their counts.
fn listed(counts: &Counts) -> String {
    let mut order: Vec<_> = counts.iter().collect();
    order.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    let one = |(letter, n): &(&char, &usize)| match is_unseen(**letter) || is_accent(**letter) {
        true => format!("U+{:04X} ({n})", u32::from(**letter)),
        false => format!("{letter} ({n})"),
    };
    let shown: Vec<_> = order.iter().take(LISTED).map(one).collect();
    match order.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{}, … and {more} more", shown.join(", ")),
    }
}

/// Whether it is written onto the letter before it.
fn is_accent(letter: char) -> bool {
    unicode_normalization::char::is_combining_mark(letter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    use crate::data::item::Input;
    use crate::error::Location;

    fn found(texts: &[&str]) -> Vec<Found> {
        let one = |text: &&str| Found {
            input: Input::Text(String::new()),
            place: Location { path: Path::new("x").into(), line: None },
            label: RawTarget::Text(text.to_string()),
            split: None,
            group: None,
        };
        texts.iter().map(one).collect()
    }

    #[test]
    fn characters_without_a_symbol_are_counted_by_text() {
        let (symbols, vocabulary) = Vocabulary::of(["abc"], Default::default());
        let of =
            |split, texts: &[&str]| notes(split, &found(texts), &symbols, &vocabulary).join("\n");
        assert_eq!(of(Split::Test, &["a b", "c"]), "");
        assert_eq!(
            of(Split::Test, &["é é a", "é?", "a", "\u{200B}"]),
            "3 of the 4 test texts have characters without a symbol: é (2), ? (1), U+200B (1); a \
             model cannot write them, and each counts as an error"
        );
        let many: String = ('d'..='z').collect();
        assert!(of(Split::Train, &[&many]).contains("and 13 more; they are left out there"));
    }

    #[test]
    fn training_texts_tell_what_is_rare_unseen_or_decomposed() {
        let mut texts = vec!["ab"; 30];
        texts.extend(["e\u{301}", "\u{7}q", "q"]);
        let (symbols, vocabulary) = Vocabulary::of(texts.iter().copied(), Default::default());
        let notes = notes(Split::Train, &found(&texts), &symbols, &vocabulary);
        assert!(notes[0].starts_with("symbols that cannot be seen: U+0007 (1);"), "{notes:?}");
        assert_eq!(
            notes[1],
            "symbols in fewer than 3 training texts: q (2), U+0007 (1), e (1), U+0301 (1)"
        );
        assert!(notes[2].starts_with("1 of the texts are not in Unicode's composed form"));
        assert_eq!(notes.len(), 3);
    }
}

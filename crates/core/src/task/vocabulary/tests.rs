//! Symbols of texts, and texts of symbols.

use super::{LetterCase, Vocabulary};

fn strings(symbols: &[&str]) -> Vec<String> {
    symbols.iter().map(ToString::to_string).collect()
}

#[test]
fn symbols_are_the_letters_of_the_texts_in_order() {
    let (symbols, vocabulary) = Vocabulary::of(["ba  b", "é|\tc"], LetterCase::Kept);
    assert_eq!(symbols, ["<pad>", "|", "a", "b", "c", "é"]);
    assert_eq!(vocabulary.encode(" ba\n b ", &symbols), (vec![3, 2, 1, 3], vec![]));
    // What separates words is no letter of one.
    assert_eq!(vocabulary.encode("a|xé", &symbols), (vec![2, 5], vec!['|', 'x']));
    assert_eq!(vocabulary.decode(&[1, 3, 2, 0, 1, 1, 3, 1], &symbols), "ba b");
}

#[test]
fn published_symbols_are_known_by_their_names() {
    // The beginning of facebook/wav2vec2-base-960h's, and the end of a vocabulary that was made by
    // transformers' course.
    let first = strings(&["<pad>", "<s>", "</s>", "<unk>", "|", "E", "T", "<"]);
    let of = Vocabulary::of_symbols(&first).unwrap();
    assert_eq!((of.blank, of.delimiter, of.unknown), (0, Some(4), Some(3)));
    assert_eq!(of.special, [1, 2]);
    let of = Vocabulary { case: LetterCase::Upper, ..of };
    assert_eq!(of.encode("te <s>", &first), (vec![6, 5, 4, 7, 3, 3], vec!['S', '>']));
    assert_eq!(of.decode(&[6, 1, 3, 5, 2, 4, 7], &first), "TE <");

    let last = strings(&["a", "b", "|", "[UNK]", "[PAD]"]);
    let of = Vocabulary::of_symbols(&last).unwrap();
    assert_eq!((of.blank, of.delimiter, of.unknown), (4, Some(2), Some(3)));
    assert!(Vocabulary::of_symbols(&last[..3]).is_err());
    assert!(of.validate(5).is_ok() && of.validate(4).is_err());
    assert!(Vocabulary { delimiter: Some(4), ..of }.validate(5).is_err());
}

#[test]
fn the_longest_symbol_that_fits_is_taken() {
    let symbols = strings(&["<pad>", "|", "t", "ʃ", "tʃ", "a", "aː"]);
    let of = Vocabulary::of_symbols(&symbols).unwrap();
    assert_eq!(of.encode("tʃaːta t", &symbols), (vec![4, 6, 2, 5, 1, 2], vec![]));
    assert_eq!(of.encode("tː", &symbols), (vec![2], vec!['ː']));
}

#[test]
fn letters_whose_case_has_another_length_are_symbols_all_the_same() {
    let texts = ["Straße", "İzmir", "ΟΔΟΣ"];
    for case in [LetterCase::Kept, LetterCase::Lower, LetterCase::Upper] {
        let (symbols, vocabulary) = Vocabulary::of(texts, case);
        for text in texts {
            let (encoded, missing) = vocabulary.encode(text, &symbols);
            assert!(missing.is_empty(), "{missing:?}");
            let encoded: Vec<usize> = encoded.into_iter().map(|at| at as usize).collect();
            assert_eq!(vocabulary.decode(&encoded, &symbols), case.apply(text));
        }
    }
    assert_eq!(LetterCase::Upper.apply("Straße"), "STRASSE");
    assert_eq!(LetterCase::Lower.apply("İ").chars().count(), 2);
}

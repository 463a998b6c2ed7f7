//! Words and their places against transformers', by `xtask/scripts/fixtures/transcription.py`.

use std::fs;

use serde_json::Value;
use tch::{Kind, Tensor};

use super::{SpokenWord, transcript};
use crate::modality::Places;
use crate::task::Vocabulary;
use crate::task::ctc::greedy;

#[test]
fn words_are_where_transformers_has_them() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/transcription/offsets.json");
    let expected: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let symbols: Vec<String> = serde_json::from_value(expected["symbols"].clone()).unwrap();
    let vocabulary = Vocabulary::of_symbols(&symbols).unwrap();
    let cases = expected["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 60);
    for case in cases {
        let best: Vec<i64> = serde_json::from_value(case["best"].clone()).unwrap();
        let chosen = Tensor::from_slice(&best).one_hot(symbols.len() as i64);
        let logs = (chosen.to_kind(Kind::Float) * 4.).log_softmax(-1, Kind::Float);
        let heard = transcript(&vocabulary, &symbols, &greedy(&logs, vocabulary.blank).unwrap());
        // transformers puts a space for each delimiter, also where there is no word between two.
        let words = case["text"].as_str().unwrap().split_whitespace().collect::<Vec<_>>();
        assert_eq!(heard.text, words.join(" "));
        let words = heard.words.iter().map(|word| (word.word.clone(), word.positions));
        let expected: Vec<(String, usize, usize)> =
            serde_json::from_value(case["words"].clone()).unwrap();
        let expected = expected.into_iter().map(|(word, start, end)| (word, [start, end]));
        assert_eq!(words.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
    }
}

#[test]
fn a_word_is_as_probable_as_its_symbols_are_on_average() {
    let symbols = ["<pad>", "|", "a", "b"].map(String::from);
    let vocabulary = Vocabulary::of_symbols(&symbols).unwrap();
    let rows = [
        [0.1_f32, 0.1, 0.6, 0.2],
        [0.1, 0.1, 0.7, 0.1],
        [0.1, 0.1, 0.3, 0.5],
        [0.1, 0.8, 0.05, 0.05],
        [0.05, 0.01, 0.9, 0.04],
    ];
    let logs = Tensor::from_slice(rows.as_flattened()).view([5, 4]).log();
    let heard = transcript(&vocabulary, &symbols, &greedy(&logs, 0).unwrap());
    let [ab, a] = &heard.words[..] else { panic!("{heard:?}") };
    assert!((ab.probability - 0.6).abs() < 1e-6 && (a.probability - 0.9).abs() < 1e-6);
    let places = Places { seconds_per_position: Some(0.02), ..Places::default() };
    let heard = heard.located(&places);
    let SpokenWord { word, positions, seconds, .. } = &heard.words[0];
    assert_eq!((word.as_str(), *positions, *seconds), ("ab", [0, 3], Some([0., 0.06])));
    let later = heard.located(&Places { starts_at: 1.5, ..places });
    assert_eq!(later.words[0].seconds, Some([1.5, 1.5 + 0.06]));
}

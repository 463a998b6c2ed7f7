//! The loss against PyTorch's; beam search against all alignments, and against a straightforward one in
//! Python. Figures by `xtask/scripts/fixtures/transcription.py`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::arpa;
use super::beam::{BeamSearch, Hypothesis};
use super::decoder::Decoder;
use super::greedy::greedy;
use super::loss::least_positions;
use crate::task::loss::Objective;
use crate::task::target::Target;
use crate::task::targets::Targets;
use crate::task::task::Task;
use crate::task::tests::spec;
use crate::task::vocabulary::Vocabulary;

fn fixture(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/transcription");
    fs::read_to_string(Path::new(folder).join(name)).unwrap()
}

fn json(name: &str) -> Value {
    serde_json::from_str(&fixture(name)).unwrap()
}

fn numbers(value: &Value) -> Vec<f32> {
    match value {
        Value::Array(all) => all.iter().flat_map(numbers).collect(),
        one => vec![one.as_f64().unwrap() as f32],
    }
}

fn symbols(names: &[&str]) -> (Vec<String>, Vocabulary) {
    let symbols: Vec<String> = names.iter().map(ToString::to_string).collect();
    let vocabulary = Vocabulary::of_symbols(&symbols).unwrap();
    (symbols, vocabulary)
}

/// Nothing is pruned.
fn exact(width: usize) -> BeamSearch {
    let (least_symbol, margin) = (f64::NEG_INFINITY, f64::INFINITY);
    BeamSearch { width, weight: 0., word_bonus: 0., least_symbol, margin, ngrams: None }
}

#[test]
fn loss_and_gradients_are_those_of_pytorch() {
    let expected = json("ctc.json");
    let logits = Tensor::from_slice(&numbers(&expected["logits"])).view([5, 12, 6]);
    let logits = logits.set_requires_grad(true);
    let positions = Tensor::from_slice(&numbers(&expected["positions"])).unsqueeze(1);
    let mask = Tensor::arange(12, (Kind::Float, Device::Cpu)).unsqueeze(0).less_tensor(&positions);
    let text = |text: &Value| Target::Text {
        text: String::new(),
        symbols: numbers(text).into_iter().map(|x| x as i64).collect(),
    };
    let targets: Vec<_> = expected["texts"].as_array().unwrap().iter().map(text).collect();
    let (names, vocabulary) = symbols(&["<pad>", "a", "b", "c", "d", "e"]);
    let mut spec = spec(Task::Transcription, &[], vec![]);
    (spec.labels, spec.vocabulary) = (names, Some(vocabulary));
    let objective = Objective::new(spec.task_config(), 0., Device::Cpu);

    let loss = objective.loss(&logits, Some(&mask), &Targets::stack(&targets));
    assert!((loss.double_value(&[]) - expected["loss"].as_f64().unwrap()).abs() < 1e-6);
    loss.backward();
    let gradients = Tensor::from_slice(&numbers(&expected["gradients"])).view([5, 12, 6]);
    let off = (logits.grad() - &gradients).abs().max().double_value(&[]);
    assert!(off < 1e-6, "{off}");
    assert_eq!(gradients.get(4).abs().max().double_value(&[]), 0., "the last text does not fit");

    // A row of f16 is computed in f32.
    let half = objective.loss(&logits.to_kind(Kind::Half), Some(&mask), &Targets::stack(&targets));
    assert_eq!(half.kind(), Kind::Float);
    // No positions at all.
    let none = objective.loss(&logits.narrow(1, 0, 0), None, &Targets::stack(&targets));
    assert_eq!(none.double_value(&[]), 0.);
}

#[test]
fn a_text_needs_a_blank_between_two_that_are_the_same() {
    assert_eq!(least_positions(&[3, 3, 4, 3]), 5);
    assert_eq!(least_positions(&[]), 0);
}

#[test]
fn repetitions_are_one_symbol_unless_a_blank_is_between() {
    let best = [1_i64, 1, 0, 1, 2, 2, 0];
    let chosen = Tensor::from_slice(&best).one_hot(3).to_kind(Kind::Float) * 3.;
    let logs = (chosen + Tensor::arange(7, (Kind::Float, Device::Cpu)).unsqueeze(1) * 0.)
        .log_softmax(-1, Kind::Float);
    let found = greedy(&logs, 0).unwrap();
    let places: Vec<_> = found.iter().map(|one| (one.symbol, one.start, one.end)).collect();
    assert_eq!(places, [(1, 0, 2), (1, 3, 4), (2, 4, 6)]);
    let probability = 1. / (1. + 2. * (-3_f64).exp());
    assert!(found.iter().all(|one| (one.probability - probability).abs() < 1e-6));
    assert_eq!(greedy(&logs.narrow(0, 0, 0), 0).unwrap(), []);
}

/// The probability of each text, summed over all alignments.
fn by_alignments(logs: &[Vec<f32>]) -> Vec<(Vec<usize>, f64)> {
    let width = logs[0].len();
    let mut sums = HashMap::<Vec<usize>, f64>::new();
    for which in 0..width.pow(logs.len() as u32) {
        let (mut rest, mut last, mut text, mut log) = (which, 0, vec![], 0.);
        for row in logs {
            let symbol = rest % width;
            rest /= width;
            log += f64::from(row[symbol]);
            if symbol != 0 && symbol != last {
                text.push(symbol);
            }
            last = symbol;
        }
        *sums.entry(text).or_default() += log.exp();
    }
    let mut sums: Vec<_> = sums.into_iter().map(|(text, sum)| (text, sum.ln())).collect();
    sums.sort_by(|a, b| b.1.total_cmp(&a.1));
    sums
}

fn text(found: &Hypothesis) -> Vec<usize> {
    found.emissions.iter().map(|one| one.symbol).collect()
}

#[test]
fn a_wide_beam_finds_the_sum_over_all_alignments() {
    for (positions, width) in [(1, 3), (4, 3), (6, 4), (7, 3)] {
        let drawn = Tensor::randn([positions, width], (Kind::Float, Device::Cpu)) * 2.;
        let rows = Vec::<Vec<f32>>::try_from(drawn.log_softmax(-1, Kind::Float)).unwrap();
        let (names, vocabulary) = symbols(&["<pad>", "|", "a", "b"][..width as usize]);
        let frames: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let found = exact(10_000).search(&frames, &vocabulary, &names);
        let expected = by_alignments(&rows);
        assert_eq!(found.len(), expected.len());
        for (found, (expected, log)) in found.iter().zip(&expected) {
            assert!((found.score - log).abs() < 1e-9, "{} {log}", found.score);
            assert_eq!(&text(found), expected);
            aligned(found, &rows);
        }
    }
}

/// Emissions are an alignment: in order, apart where they are the same; and theirs is the highest
/// probability there.
fn aligned(found: &Hypothesis, rows: &[Vec<f32>]) {
    for pair in found.emissions.windows(2) {
        assert!(pair[0].end + usize::from(pair[0].symbol == pair[1].symbol) <= pair[1].start);
    }
    for one in &found.emissions {
        let heard = rows[one.start..one.end].iter().map(|row| row[one.symbol].exp());
        assert!((heard.fold(0., f32::max) - one.probability as f32).abs() < 1e-6);
    }
}

#[test]
fn a_search_is_that_of_another_implementation() {
    let expected = json("beam.json");
    let names: Vec<_> =
        expected["symbols"].as_array().unwrap().iter().map(|x| x.as_str().unwrap()).collect();
    let (names, vocabulary) = symbols(&names);
    let cases = expected["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 24);
    for case in cases {
        let rows: Vec<Vec<f32>> = case["logs"].as_array().unwrap().iter().map(numbers).collect();
        let frames: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let search = BeamSearch {
            ngrams: Some(arpa::read(fixture("words.arpa").as_bytes(), Path::new("x")).unwrap()),
            weight: case["weight"].as_f64().unwrap(),
            word_bonus: case["bonus"].as_f64().unwrap(),
            ..exact(case["width"].as_u64().unwrap() as usize)
        };
        let found = search.search(&frames, &vocabulary, &names);
        for (found, expected) in found.iter().zip(case["best"].as_array().unwrap()) {
            let (wanted, score) = (numbers(&expected[0]), expected[1].as_f64().unwrap());
            let wanted: Vec<usize> = wanted.into_iter().map(|x| x as usize).collect();
            assert_eq!(text(found), wanted);
            assert!((found.score - score).abs() < 1e-4, "{} {score}", found.score);
        }
    }
}

#[test]
fn pruning_and_dropped_links_change_no_clear_text() {
    // Longer than the links that are kept without a look.
    let (names, vocabulary) = symbols(&["<pad>", "|", "a", "b"]);
    let best: Vec<i64> = (0..6000).map(|at| [2, 3, 0, 1, 2, 2, 0, 2, 3, 1][at % 10]).collect();
    let chosen = Tensor::from_slice(&best).one_hot(4).to_kind(Kind::Float) * 6.;
    let logs = chosen.log_softmax(-1, Kind::Float);
    let search = BeamSearch { word_bonus: 0., ..BeamSearch::default() };
    let decoder = Decoder::Beam(Box::new(search));
    let [found] = &decoder.decode(&[logs.shallow_clone()], &vocabulary, &names).unwrap()[..] else {
        panic!()
    };
    let expected = greedy(&logs, 0).unwrap();
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        let places = |one: &super::Emission| (one.symbol, one.start, one.end);
        assert_eq!(places(found), places(expected));
        assert!((found.probability - expected.probability).abs() < 1e-6);
    }
}

#[test]
fn without_a_delimiter_each_symbol_is_a_word() {
    let model = "\\data\\\nngram 1=3\nngram 2=1\n\\1-grams:\n-1 a 0\n-1 b 0\n-9 c\n\\2-grams:\n-0.1 a c\n\\end\\\n";
    let ngrams = arpa::read(model.as_bytes(), Path::new("x")).unwrap();
    assert_eq!((ngrams.order(), ngrams.words(), ngrams.knows("c")), (2, 3, true));
    let (names, vocabulary) = symbols(&["<pad>", "a", "b", "c"]);
    let rows = [[0.05_f32, 0.9, 0.03, 0.02], [0.02, 0.02, 0.5, 0.46]].map(|row| row.map(f32::ln));
    let frames: Vec<&[f32]> = rows.iter().map(<[f32; 4]>::as_slice).collect();
    let search = BeamSearch { ngrams: Some(ngrams), weight: 1., ..exact(50) };
    let found = &search.search(&frames, &vocabulary, &names)[0];
    assert_eq!(text(found), [1, 3], "c is probable behind a");
    assert_eq!(text(&exact(50).search(&frames, &vocabulary, &names)[0]), [1, 2]);
}

#[test]
fn what_is_no_arpa_file_is_told_with_its_line() {
    let error = |text: &str| {
        arpa::read(text.as_bytes(), Path::new("lm.arpa")).map(|_| ()).unwrap_err().to_string()
    };
    let unigrams = "\\data\\\nngram 1=2\n\n\\1-grams:\n-1 a\n";
    for (text, expected) in [
        ("", "lm.arpa:1: no line \\data\\"),
        ("mmap lm http://kheafield.com/code format version 5\n", "lm.arpa:1: a KenLM binary"),
        ("\\data\\\nngram 2=1\n", "lm.arpa:2: expected \"ngram 1=\""),
        ("\\data\\\nngram 1=99999999999999\n", "lm.arpa:2: more than 100000000 n-grams"),
        ("\\data\\\nngram 1=1\n-1 a\n", "lm.arpa:3: expected \\1-grams:"),
        (&format!("{unigrams}\\end\\\n"), "lm.arpa:6: 1 n-grams of length 1, but 2 were promised"),
        (&format!("{unigrams}x b\n"), "lm.arpa:6: expected the logarithm of a probability"),
        (&format!("{unigrams}0.5 b\n"), "lm.arpa:6: expected the logarithm of a probability"),
        (&format!("{unigrams}nan b\n"), "lm.arpa:6: expected the logarithm of a probability"),
        (&format!("{unigrams}-1\n"), "lm.arpa:6: expected 1 words behind"),
        (&format!("{unigrams}-1 b c\n"), "lm.arpa:6: expected 1 words, then at most"),
        (&format!("{unigrams}-1 a\n"), "lm.arpa:6: this n-gram was there before"),
    ] {
        let got = error(text);
        assert!(got.starts_with(expected), "{got}");
    }
    let two = "\\data\\\nngram 1=1\nngram 2=1\n\\1-grams:\n-1 a\n\\2-grams:\n-1 a b\n\\end\\\n";
    assert!(error(two).starts_with("lm.arpa:7: the word \"b\" is not among the 1-grams"));
    let cut = "\\data\\\nngram 1=1\n\\1-grams:\n-1 a\n";
    assert!(error(cut).ends_with("expected \\end\\"), "{}", error(cut));
    let long = format!("\\data\\\n{}", "x".repeat(100_000));
    assert!(error(&long).starts_with("lm.arpa:2: a line of more than 64 KiB"));
}

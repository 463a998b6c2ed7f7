//! Against seqeval: `xtask/scripts/fixtures/tagging.py` made the file.

use std::collections::BTreeMap;

use super::*;

const SEQEVAL: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tagging/seqeval.jsonl"));

#[derive(Deserialize)]
struct Case {
    truth: Vec<String>,
    found: Vec<String>,
    report: BTreeMap<String, [f64; 4]>,
}

/// Of a model that has the labels of the truth.
fn of(truth: &[&str], found: &[&str]) -> TaggingMetrics {
    of_model(&truth.join(" "), truth, found)
}

fn of_model(labels: &str, truth: &[&str], found: &[&str]) -> TaggingMetrics {
    let labels: Vec<String> = labels.split(' ').map(str::to_string).collect();
    let pairs: Vec<Labelled<'_>> = truth
        .iter()
        .zip(found)
        .map(|(truth, found)| (truth.split(' ').collect(), found.split(' ').collect()))
        .collect();
    TaggingMetrics::of(&labels, &pairs, 0., 0)
}

#[test]
fn all_figures_are_those_of_seqeval() {
    let mut pairs = 0;
    for line in SEQEVAL.lines() {
        let Case { truth, found, report } = serde_json::from_str(line).unwrap();
        let truth: Vec<&str> = truth.iter().map(String::as_str).collect();
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        let e = of(&truth, &found);
        let support = e.types.iter().map(|of| of.support).sum::<usize>();
        let mut ours = BTreeMap::from([
            ("micro", [e.precision, e.recall, e.span_f1]),
            ("macro", [e.macro_precision, e.macro_recall, e.macro_f1]),
            ("weighted", [e.weighted_precision, e.weighted_recall, e.weighted_f1]),
        ]);
        ours.extend(e.types.iter().map(|of| (&*of.name, [of.precision, of.recall, of.f1])));
        assert_eq!(ours.len(), report.len(), "{line}");
        for (name, [precision, recall, f1, count]) in report {
            let near = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-6;
            let ours = ours.get(&*name).unwrap_or_else(|| panic!("no {name} in {line}"));
            let same = ours.iter().zip(&[precision, recall, f1]).all(near);
            assert!(same, "{name}: {ours:?} in {line}");
            let counted =
                e.types.iter().find(|of| of.name == name).map_or(support, |of| of.support);
            assert_eq!(counted as f64, count, "{name} in {line}");
        }
        pairs += e.samples;
    }
    assert_eq!(pairs, 1000);
}

#[test]
fn words_without_prefixes_are_counted_as_they_are() {
    let e = of(&["N N V", "V N D"], &["N V V", "V N N"]);
    assert_eq!(e.scheme, Scheme::Plain);
    assert_eq!((e.span_f1, e.word_accuracy, e.words, e.repaired), (4. / 6., 4. / 6., 6, 0));
    let names: Vec<_> = e.types.iter().map(|of| (&*of.name, of.support)).collect();
    assert_eq!(names, [("D", 1), ("N", 3), ("V", 2)]);
    // With an `O`, neighbours are one span.
    let e = of(&["a a O b"], &["a O O b"]);
    assert_eq!((e.scheme, e.span_f1), (Scheme::Io, 0.5));
}

#[test]
fn splits_with_and_without_an_o_count_the_same() {
    let model = "N O V";
    let validation = of_model(model, &["N N O V"], &["N N O V"]);
    let test = of_model(model, &["N N V"], &["N V V"]);
    assert_eq!([validation.scheme, test.scheme], [Scheme::Io; 2]);
    // Neighbours are one span, and so neither is right.
    assert_eq!((test.span_f1, test.types.iter().map(|of| of.support).sum::<usize>()), (0., 2));
    // A split in which nothing is outside, of a model that knows no `O`.
    assert_eq!(of_model("N V", &["N N V"], &["N V V"]).scheme, Scheme::Plain);
}

/// seqeval 1.2.2 has the same figures for `_PER` and `_LOC`, and warns of each label.
#[test]
fn an_underscore_stands_for_a_hyphen() {
    let model = "B_LOC B_PER I_LOC I_PER O";
    let truth = ["B_PER I_PER O B_LOC", "O B_PER"];
    let e = of_model(model, &truth, &["B_PER I_PER O B_PER", "O I_PER"]);
    assert_eq!((e.scheme, e.repaired), (Scheme::Iob2, 1));
    let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
    assert!(near(e.span_f1, 2. / 3.) && near(e.macro_f1, 0.4) && near(e.weighted_f1, 8. / 15.));
    let types: Vec<_> = e.types.iter().map(|of| (&*of.name, of.support)).collect();
    assert_eq!(types, [("LOC", 1), ("PER", 2)]);
}

#[test]
fn an_answer_that_breaks_the_scheme_is_repaired_and_counted() {
    let e = of(&["O B-a I-a", "B-b O O"], &["O I-a I-a", "B-b I-a O"]);
    assert_eq!((e.scheme, e.repaired), (Scheme::Iob2, 2));
    // Right after repair, apart from one too many.
    assert_eq!((e.precision, e.recall), (2. / 3., 1.));
    // Where the truth needs no `B-`, nothing is broken.
    let e = of(&["O I-a I-a", "I-b O O"], &["O I-a I-a", "I-b I-a O"]);
    assert_eq!((e.scheme, e.repaired), (Scheme::Iob1, 0));
}

#[test]
fn nothing_found_and_nothing_there_is_no_division_by_zero() {
    let e = of(&["O O"], &["O O"]);
    assert_eq!((e.span_f1, e.macro_f1, e.weighted_f1, e.word_accuracy), (0., 0., 0., 1.));
    assert_eq!((e.types.len(), e.span_f1_interval), (0, None));
}

#[test]
fn the_interval_is_as_wide_as_theory_has_it() {
    // A sentence is right with probability 0.8: the F1 has a deviation of sqrt(0.16 / 400) = 0.02.
    let sentences: Vec<Counts> = (0..400).map(|at| [1, 1, usize::from(at % 5 > 0)]).collect();
    let [low, high] = interval(&sentences).unwrap();
    assert!((low - 0.76).abs() < 0.006 && (high - 0.84).abs() < 0.006, "{low} {high}");
    assert_eq!(interval(&vec![[2, 2, 2]; 9]), Some([1., 1.]));
    assert_eq!(interval(&sentences), interval(&sentences));
}

#[test]
fn figures_of_before_are_read() {
    let old = r#"{"samples":1,"loss":0.5,"span_f1":1.0,"precision":1.0,"recall":1.0,"macro_f1":1.0,
        "word_accuracy":1.0,"words":3,"types":[]}"#;
    let e: TaggingMetrics = serde_json::from_str(old).unwrap();
    assert_eq!((e.scheme, e.repaired, e.span_f1_interval), (Scheme::Iob2, 0, None));
}

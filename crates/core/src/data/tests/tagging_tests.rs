//! Data sets of labelled words.

use super::*;
use crate::data::inputs::inputs;
use crate::task::{Target, tags};

fn tagged() -> Layout {
    Layout { task: Task::Tagging, ..texts() }
}

fn said(root: &Path, layout: &Layout) -> String {
    Dataset::open(root, layout).unwrap_err().to_string()
}

#[test]
fn folders_are_named_as_publishers_name_them() {
    let conll = "EU\tB-ORG\nis\tO\n";
    for [train, validation, test] in [
        ["wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated"],
        ["train", "dev", "test"],
        ["weiboNER_2nd_conll.train", "weiboNER_2nd_conll.dev", "weiboNER_2nd_conll.test"],
        ["eng.train", "eng.testa", "eng.testb"],
        ["train.txt", "valid.txt", "test.txt"],
        ["en-train.tsv", "en-dev.tsv", "en-test.tsv"],
        ["train.conllu", "dev.conllu", "test.conllu"],
    ] {
        let files = [
            (train, conll),
            (validation, conll),
            (test, conll),
            ("README.md", "# Words"),
            ("LICENSE", "All words may be used.\n"),
        ];
        let root = folder(&files);
        let data = Dataset::open(root.path(), &tagged()).unwrap();
        let counts = [data.train.len(), data.validation.len(), data.test.len()];
        assert_eq!(counts, [1, 1, 1], "{train}: {:?}", data.notes);
        assert_eq!(data.labels, ["B-ORG", "O"]);
        assert_eq!(shown(&data.train, &data.labels), ["B-ORG O:EU is"]);
        assert!(data.train[0].place.to_string().ends_with(&format!("{train}:1")));
    }
    // Parts of one set.
    let root = folder(&[("a.conll", conll), ("b.conll", "\n\nPeter\tB-PER\n")]);
    let data = Dataset::open(root.path(), &tagged()).unwrap();
    assert_eq!(shown(&data.train, &data.labels), ["B-ORG O:EU is", "B-PER:Peter"]);
}

#[test]
fn one_file_of_any_name() {
    for name in ["a.conll", "a.txt", "a.bio", "a.tsv", "a", "a.csv"] {
        let root = folder(&[(name, "EU B-ORG\nis O\n\nx O\n")]);
        let data = Dataset::open(root.path().join(name), &tagged()).unwrap();
        assert_eq!(shown(&data.train, &data.labels), ["B-ORG O:EU is", "O:x"], "{name}");
        let asked = inputs(&root.path().join(name), &tagged()).unwrap();
        assert_eq!(asked.items.len(), 2, "{name}");
        assert_eq!(asked.items[0].target, Target::Unknown);
    }
    // What has no labels is sentences, one a line.
    let root = folder(&[("a.txt", "EU is here\nPeter O\n")]);
    let asked = inputs(&root.path().join("a.txt"), &tagged()).unwrap();
    assert_eq!(asked.items[0].input, Input::Text("EU is here".into()));
    let layout = Layout { format: Some(crate::data::TableFormat::Conll), ..tagged() };
    let root = folder(&[("a.txt", "EU\nis\n\nx\n")]);
    let asked = inputs(&root.path().join("a.txt"), &layout).unwrap();
    assert_eq!(asked.items[0].input, Input::Words(vec!["EU".into(), "is".into()]));
}

#[test]
fn lists_of_words_and_labels() {
    let expected = ["B-ORG O:EU is", "O:x"];
    for (name, text) in [
        (
            "a.jsonl",
            "{\"tokens\": [\"EU\", \"is\"], \"ner_tags\": [\"B-ORG\", \"O\"]}\n\
             {\"tokens\": [\"x\"], \"ner_tags\": [\"O\"]}\n",
        ),
        ("a.csv", "words,labels\n\"['EU', 'is']\",\"['B-ORG', 'O']\"\n['x'],['O']\n"),
        ("a.tsv", "tokens\ttags\n[\"EU\", \"is\"]\t[\"B-ORG\", \"O\"]\n['x']\t['O']\n"),
        ("a.csv", "words,tags\nEU is,B-ORG O\nx,O\n"),
    ] {
        let root = folder(&[(name, text)]);
        let data = Dataset::open(root.path().join(name), &tagged()).unwrap();
        assert_eq!(shown(&data.train, &data.labels), expected, "{text}");
    }
}

#[test]
fn of_several_columns_of_labels_the_usual_one_is_taken_and_said() {
    // As CoNLL 2003 comes from the hub: `ner_tags` is the last.
    let text = "id,tokens,pos_tags,chunk_tags,ner_tags\n\
                0,EU is,NNP VBZ,B-NP B-VP,B-ORG O\n1,x,NN,B-NP,O\n";
    let root = folder(&[("train.csv", text), ("test.csv", text)]);
    let data = Dataset::open(root.path(), &tagged()).unwrap();
    assert_eq!(shown(&data.train, &data.labels), ["B-ORG O:EU is", "O:x"]);
    let said = "the labels are those of the column ner_tags; --label-column takes another: pos_tags, \
                chunk_tags";
    assert_eq!(data.notes, [said], "once for all tables");
    let layout = Layout { label_column: Some("pos_tags".into()), ..tagged() };
    let data = Dataset::open(root.path().join("train.csv"), &layout).unwrap();
    assert_eq!(shown(&data.train, &data.labels), ["NNP VBZ:EU is", "NN:x"]);
    let counted = "labels have no prefixes and no O: words are counted, not spans";
    assert_eq!(data.notes, [counted], "asked for");
}

#[test]
fn lists_of_unequal_length_are_refused() {
    for (text, problem) in [
        ("\"['a', 'b']\",['O']", "the row has 2 words, but 1 label; --skip-bad"),
        ("['a'],\"['O', 'B-X', 'O']\"", "the row has 1 word, but 3 labels; --skip-bad"),
        ("a b,O", "the row has 2 words, but 1 label; --skip-bad"),
        ("[],[]", "the list of words in column 1 is empty; --skip-bad"),
    ] {
        let text = format!("words,tags\n\"['EU', 'is']\",\"['B-ORG', 'O']\"\n{text}\n");
        let root = folder(&[("a.csv", &text)]);
        let told = said(&root.path().join("a.csv"), &tagged());
        assert!(told.contains("a.csv:3: ") && told.contains(problem), "{told}");
        let layout = Layout { skip_bad: true, ..tagged() };
        let data = Dataset::open(root.path().join("a.csv"), &layout).unwrap();
        assert_eq!((data.train.len(), data.bad.len()), (1, 1));
    }
}

#[test]
fn a_broken_line_is_told_with_its_place_or_left_out() {
    for (line, problem) in [
        ("word", "the line has 1 column, expected 2 as in line 1"),
        ("word\tCOUNTRY", "word 2 has the label \"COUNTRY\", which is not written as others are"),
    ] {
        let text = format!("EU\tB-ORG\nis\tO\n\nso\tO\n{line}\n\nx\tO\n");
        let root = folder(&[("a.conll", &text)]);
        let told = said(&root.path().join("a.conll"), &tagged());
        assert!(told.contains("a.conll:") && told.contains(problem), "{told}");
        let layout = Layout { skip_bad: true, ..tagged() };
        let data = Dataset::open(root.path().join("a.conll"), &layout).unwrap();
        assert_eq!((data.train.len(), data.bad.len()), (2, 1), "{line}");
    }
    for (text, problem) in [
        ("", "there is no sentence in it"),
        ("\n\n", "there is no sentence in it"),
        ("a\nb\n", "a.conll:1: the line has 1 column, expected a word and its label"),
        ("a O\nb O\n", "all words have the label \"O\"; at least two labels are needed"),
    ] {
        let root = folder(&[("a.conll", text)]);
        let told = said(&root.path().join("a.conll"), &tagged());
        assert!(told.contains(problem), "{told}");
    }
    let words: Vec<String> = (0..900).map(|at| format!("{at} w{at}\n")).collect();
    let root = folder(&[("a.conll", &words.concat())]);
    let told = said(&root.path().join("a.conll"), &tagged());
    assert!(told.contains("its 900 words have 900 different labels"), "{told}");
    let layout = Layout { label_column: Some("ner".into()), ..tagged() };
    let told = said(&root.path().join("a.conll"), &layout);
    assert!(told.contains("--label-column") && told.contains("give a number from 1"), "{told}");
    let told = said(folder(&[("cat/a.txt", "x")]).path(), &tagged());
    assert!(told.contains("holds no CoNLL files and no tables"), "{told}");
}

#[test]
fn labels_that_training_does_not_have() {
    let root = folder(&[
        ("train.conll", "EU\tB-ORG\nis\tO\n"),
        ("test.conll", "a\tO\nb\tB-X\nc\tI-X\n\nd\tO\n\ne\tB-Y\n"),
    ]);
    let told = said(root.path(), &tagged());
    assert!(told.contains("test.conll:1: word 2: the label \"B-X\" is not among those"), "{told}");
    assert!(told.contains("(1 more sentences are so"), "{told}");
    let data = Dataset::open(root.path(), &Layout { skip_bad: true, ..tagged() }).unwrap();
    assert_eq!((data.test.len(), data.bad.len()), (1, 2));
}

#[test]
fn the_scheme_is_told_where_it_is_not_the_usual_one() {
    for (text, notes) in [
        ("a B-X\nb I-X\nc O\n", vec![]),
        ("a I-X\nb I-X\nc O\n", vec!["labels are written in IOB1"]),
        ("a B-X\nb E-X\nc O\n", vec!["labels are written in IOBES"]),
        ("a DT\nb NN\n", vec!["labels have no prefixes and no O: words are counted, not spans"]),
        (
            "a B-X\nb I-X\nc O\n\nd B-X\n\ne I-X\n",
            vec![
                "1 training labels break IOB2; they are trained on as they are, and spans are \
                 counted as seqeval repairs them",
            ],
        ),
        ("en:a B-X\nen:b O\n", vec!["all words begin with \"en:\", which is left out"]),
    ] {
        let root = folder(&[("a.conll", text)]);
        let data = Dataset::open(root.path().join("a.conll"), &tagged()).unwrap();
        assert_eq!(data.notes, notes, "{text}");
    }
    assert!(tags::is_placed("B-X"));
}

#[cfg(feature = "parquet")]
#[test]
fn classes_have_names_in_lists_too() {
    let open = |name: &str, skip_bad| {
        let path: std::path::PathBuf =
            [env!("CARGO_MANIFEST_DIR"), "tests/fixtures/tagging", name].iter().collect();
        Dataset::open(path, &Layout { skip_bad, ..tagged() })
    };
    let data = open("classes.parquet", false).unwrap();
    assert_eq!(data.labels, ["B-LOC", "B-PER", "I-PER", "O"]);
    let expected = ["B-PER I-PER O:Ada Byron wrote", "O B-LOC:in London", "O:so"];
    assert_eq!(shown(&data.train, &data.labels), expected);
    for (name, problem) in [
        ("out_of_range.parquet", "the class 4, but 4 are named"),
        ("missing.parquet", "an entry of the list has no class"),
    ] {
        let told = open(name, false).unwrap_err().to_string();
        assert!(told.contains(&format!("{name}:2: {problem}")), "{told}");
        let data = open(name, true).unwrap();
        assert_eq!((data.train.len(), data.bad.len()), (2, 1));
    }
}

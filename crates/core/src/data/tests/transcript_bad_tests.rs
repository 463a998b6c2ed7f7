//! Everything that can be wrong with texts that are spoken or written in samples.

use super::transcript_tests::{open, recordings};
use super::*;
use crate::data::layout::Layout;

/// Both what is said without `--skip-bad` and, with it, what is left and what is told of the rest.
fn bad(files: &[(&str, &str)], layout: &Layout) -> (String, usize, Vec<String>) {
    let message = open(files, layout).unwrap_err().to_string();
    let layout = Layout { skip_bad: true, ..layout.clone() };
    let data = open(files, &layout).unwrap_or_else(|e| panic!("{files:?}: {e}"));
    (message, data.train.len(), data.bad.iter().map(ToString::to_string).collect())
}

#[test]
fn what_is_wrong_with_one_text_is_said_with_its_place() {
    let long = "a".repeat(200);
    let layout = Layout { longest_line: 100, ..recordings() };
    let wavs = [("a.wav", ""), ("b.wav", "")];
    for (others, place, problem) in [
        // Tables.
        (
            vec![("t.csv", "path,text\na.wav,one\nb.wav,\n")],
            "t.csv:3",
            "the row has no text in column 2 of 2",
        ),
        (
            vec![("t.csv", "path,text\na.wav,one\nc.wav,two\n")],
            "t.csv:3",
            "names a file that is not there",
        ),
        (
            vec![(
                "t.jsonl",
                "{\"path\": \"a.wav\", \"text\": \"one\"}\n{\"path\": \"b.wav\", \"text\": [\"t\"]}\n",
            )],
            "t.jsonl:2",
            "the text in column 2 is a list, not a text",
        ),
        (
            vec![(
                "t.jsonl",
                "{\"path\": \"a.wav\", \"text\": \"one\"}\n{\"path\": \"b.wav\", \"text\": {}}\n",
            )],
            "t.jsonl:2",
            "the text in column 2 is an object, not a text",
        ),
        (
            vec![("t.jsonl", "{\"path\": \"a.wav\", \"text\": \"one\"}\n{\"path\": \"b.wav\"}\n")],
            "t.jsonl:2",
            "the row has no text in column 2",
        ),
        // Lists.
        (vec![("x.trans.txt", "a one\nb\n")], "x.trans.txt:2", "the line has no text behind b"),
        (vec![("x.trans.txt", "a one\nb two\na one\n")], "x.trans.txt:3", "names a a second time"),
        (
            vec![("x.trans.txt", "a one\nb two\nc three\n")],
            "x.trans.txt:3",
            "names a file that is not there: c (.flac, .wav or .mp3)",
        ),
        (vec![("x.trans.txt", "a one\n")], "b.wav", "is in no list of texts (*.trans.txt)"),
        // Files beside samples.
        (vec![("a.txt", "one")], "b.wav", "has no text beside it (expected b.txt)"),
        (vec![("a.txt", "one"), ("b.txt", " \n")], "b.txt", "has no text in it"),
        (
            vec![("a.txt", "one"), ("b.txt", "two"), ("c.txt", "three")],
            "c.txt",
            "has no file beside it that it is the text of",
        ),
        (vec![("a.txt", "one"), ("b.txt", "a\0")], "b.txt", "line 1: byte 2 of the line is zero"),
        (vec![("a.txt", "one"), ("b.txt", &*long)], "b.txt", "is larger than 0.1 KiB"),
    ] {
        let files: Vec<_> = wavs.iter().copied().chain(others).collect();
        let (message, left, told) = bad(&files, &layout);
        assert!(message.contains(place) && message.contains(problem), "{message}");
        assert!(
            message.ends_with("--skip-bad leaves it out") || problem.contains("list"),
            "{message}"
        );
        assert!(told.len() == 1 && told[0].contains(problem), "{told:?}");
        assert!(left >= 1, "{problem}");
    }
}

#[test]
fn a_list_with_lines_that_are_no_text_or_endless_is_located() {
    let root = folder(&[("a.wav", ""), ("b.wav", "")]);
    fs::write(root.path().join("x.trans.txt"), b"a caf\xe9\nb two\n").unwrap();
    let message = Dataset::open(root.path(), &recordings()).unwrap_err().to_string();
    assert!(message.contains("2 recordings cannot be used"), "{message}");
    assert!(message.contains("x.trans.txt:1: not UTF-8: byte 6 of the line is 0xE9"), "{message}");
    let layout = Layout { longest_line: 20, ..recordings() };
    let line = format!("a {}\nb two\n", "x".repeat(50));
    let message = open(&[("a.wav", ""), ("b.wav", ""), ("x.trans.txt", &line)], &layout);
    let message = message.unwrap_err().to_string();
    assert!(message.contains("x.trans.txt"), "{message}");
}

#[test]
fn what_is_wrong_with_a_whole_data_set_is_said() {
    let row = "path,text\na.wav,one\n";
    for (files, said) in [
        (
            vec![("x/a.wav", ""), ("y/b.wav", "")],
            "holds no texts of recordings (.flac, .wav or .mp3): no table",
        ),
        (vec![("notes.md", "")], "holds no texts of recordings"),
        (vec![("t.csv", "path,text\na.wav,  \n"), ("a.wav", "")], "no text in column 2"),
        (vec![("t.csv", "path,price\na.wav,1\n"), ("a.wav", "")], "no column named text"),
        (
            vec![("test.csv", row), ("a.wav", "")],
            "the training split is empty, there is only test; give one of its folders or tables",
        ),
        (vec![("test/a.wav", ""), ("test/a.txt", "one")], "the training split is empty"),
        (vec![("t.csv", "path,text\na.wav,| |\n"), ("a.wav", "")], "no training text has a letter"),
    ] {
        let message = open(&files, &recordings()).unwrap_err().to_string();
        assert!(message.contains(said), "{message:?} does not say {said:?}");
    }
    let layout = Layout { text_column: Some("said".into()), ..recordings() };
    let message = open(&[("t.csv", row), ("a.wav", "")], &layout).unwrap_err().to_string();
    assert!(message.starts_with("--text-column: "), "{message}");
    assert!(message.contains("no column \"said\"; its columns are: path, text"), "{message}");
    let layout = Layout { text_column: Some("path".into()), ..recordings() };
    let message = open(&[("t.csv", row), ("a.wav", "")], &layout).unwrap_err().to_string();
    assert!(message.contains("the column of the texts is that of the inputs"), "{message}");
}

#[test]
fn a_training_text_without_any_symbol_teaches_nothing() {
    use crate::data::symbols::Symbols;
    use crate::task::Vocabulary;
    let names: Vec<String> = ["<pad>", "|", "a"].map(str::to_string).to_vec();
    let vocabulary = Vocabulary::of_symbols(&names).unwrap();
    let symbols = Some(Symbols { names, vocabulary });
    let files = [("t.csv", "path,text\na.wav,ab\na.wav,最\n"), ("a.wav", "")];
    let (message, left, told) = bad(&files, &Layout { symbols, ..recordings() });
    assert!(message.contains("t.csv:3: the text \"最\" has none of the symbols"), "{message}");
    assert_eq!((left, told.len()), (1, 1));
}

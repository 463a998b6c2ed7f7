//! What a file is told to be, for training and for prediction alike; files that tables name; cells
//! and columns as other programs write them.

use super::*;
use crate::data::dataset::Dataset;
use crate::data::inputs::{Gathered, inputs};
use crate::data::layout::Layout;
use crate::data::table::TableFormat;
use crate::task::Task;

fn read(name: &str, text: &str, layout: &Layout) -> Vec<String> {
    let root = folder(&[(name, text)]);
    let data = Dataset::open(root.path().join(name), layout).unwrap();
    shown(&data.train, &data.labels)
}

/// The inputs in a file, to ask a model about.
fn asked(name: &str, text: &str, layout: &Layout) -> Vec<String> {
    let root = folder(&[(name, text)]);
    let items = inputs(&root.path().join(name), layout).unwrap().items;
    shown(&items, &[]).into_iter().map(|shown| shown.split_once(':').unwrap().1.into()).collect()
}

#[test]
fn what_trains_is_read_alike_when_a_model_is_asked() {
    let lines = "{\"text\": \"a\", \"label\": 1}\n{\"text\": \"b\", \"label\": 2}\n";
    for (name, text) in [
        ("t.csv", "text,label\n\"a\",1\nb,2\n"),
        ("t.csv", "label;text\n1;a\n2;b\n"),
        ("t.csv", ",text,label\n0,a,1\n1,b,2\n"),
        ("t.csv", "id,review,label\n7,a,1\n9,b,2\n"),
        ("t.tsv", "a\t1\nb\t2\n"),
        ("t.tsv", "\"a\"\t1\nb\t2\n"),
        ("t.txt", "a\t1\nb\t2\n"),
        ("t.txt", "text\tlabel\na\t1\nb\t2\n"),
        ("t", "a\t1\nb\t2\n"),
        ("t.jsonl", lines),
        ("t.json", lines),
        ("t.txt", lines),
        ("t.txt", "text,label\n\"a\",1\nb,2\n"),
        ("t", "label;text\n1;a\n2;b\n"),
        ("t.csv", lines),
    ] {
        assert_eq!(read(name, text, &texts()), ["1:a", "2:b"], "{name}: {text:?}");
        assert_eq!(asked(name, text, &texts()), ["a", "b"], "{name}: {text:?}");
    }
    // Rows that pandas numbers.
    assert_eq!(read("t.tsv", "0\ta\t1\n1\tb\t2\n2\tc\t1\n", &texts()), ["1:a", "2:b", "1:c"]);
    assert_eq!(asked("t.tsv", "0\ta\t1\n1\tb\t2\n2\tc\t1\n", &texts()), ["a", "b", "c"]);
}

#[test]
fn labels_are_asked_of_nobody() {
    for (name, text) in [
        ("t.csv", "text\na\nb\n"),
        ("t.csv", "text,label\na,\nb,\n"),
        ("t.csv", "text,id\na,1\nb,2\n"),
        ("t.csv", "review\na\nb\n"),
        ("t.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\"}\n"),
        ("t.txt", "a\n\n \nb\n"),
        ("t.txt", "a\r\nb"),
        ("t.log", "a\nb\n"),
    ] {
        let review = Layout { input_column: Some("review".into()), ..texts() };
        let layout = if text.starts_with("review") { review } else { texts() };
        assert_eq!(asked(name, text, &layout), ["a", "b"], "{name}: {text:?}");
    }
    // Tabs here and there make no table, unless somebody says so.
    assert_eq!(asked("t.txt", "a\tb\nc\n", &texts()), ["a\tb", "c"]);
    let tsv = Layout { format: Some(TableFormat::Tsv), skip_bad: true, ..texts() };
    assert_eq!(asked("t.txt", "a\tb\nc\n", &tsv), ["a", "c"]);
    assert_eq!(asked("t.txt", "a, b\nc\n", &texts()), ["a, b", "c"]);
}

#[test]
fn pairs_to_ask_about() {
    let layout = Layout { pairs: true, ..texts() };
    for (name, text) in [
        ("t.txt", "a\tb\nc\td\n"),
        ("t.tsv", "a\tb\t1\nc\td\t0\n"),
        ("t.csv", "sentence2,sentence1,label\nb,a,1\nd,c,1\n"),
        ("t.csv", "premise,hypothesis\na,b\nc,d\n"),
    ] {
        assert_eq!(asked(name, text, &layout), ["a|b", "c|d"], "{name}: {text:?}");
    }
    let root = folder(&[("t.csv", "text,label\na,1\n")]);
    let message = inputs(&root.path().join("t.csv"), &layout).unwrap_err().to_string();
    assert!(
        message.starts_with("--pair-column: ") && message.contains("its columns are"),
        "{message}"
    );
}

#[test]
fn folders_to_ask_about() {
    let files = |layout: &Layout, files: &[(&str, &str)]| -> (Vec<String>, Gathered) {
        let root = folder(files);
        let all = inputs(root.path(), layout).unwrap();
        (
            shown(&all.items, &[])
                .iter()
                .map(|shown| shown[shown.find(':').unwrap() + 1..].into())
                .collect(),
            all,
        )
    };
    let (names, all) = files(&pictures(), &[("b.png", ""), ("deep/a.JPG", ""), ("notes.md", "")]);
    assert_eq!(names, ["b.png", "a.JPG"]);
    assert_eq!(all.ignored, [("md".to_string(), 1)]);
    let (names, _) = files(&texts(), &[("train.csv", "text\na\n"), ("test.csv", "text\nb\n")]);
    assert_eq!(names, ["b", "a"]);
    let (names, _) =
        files(&pictures(), &[("t.csv", "path\nx.png\n"), ("x.png", ""), ("y.png", "")]);
    assert_eq!(names, ["x.png"], "as for training, the table counts");
    let root = folder(&[("notes.md", "")]);
    let message = inputs(root.path(), &pictures()).unwrap_err().to_string();
    assert!(
        message.ends_with("holds no pictures (.jpg, .jpeg or .png) and no tables"),
        "{message}"
    );
}

#[test]
fn a_sample_is_one_by_what_it_holds() {
    let layout = Layout { recognises: |start| start.starts_with(b"PNG"), ..pictures() };
    let root =
        folder(&[("cat/a.png", ""), ("cat/b", "PNG"), ("dog/c.dat", "PNG"), ("dog/d.dat", "no")]);
    let data = Dataset::open(root.path(), &layout).unwrap();
    assert_eq!(shown(&data.train, &data.labels), ["cat:a.png", "cat:b", "dog:c.dat"]);
    assert_eq!(data.ignored, [("dat".to_string(), 1)]);
    let all = inputs(root.path(), &layout).unwrap();
    assert_eq!((all.items.len(), all.ignored), (3, data.ignored));
}

#[test]
fn files_are_found_near_a_table_and_as_other_systems_name_them() {
    let here = [("t/t.csv", "x.png", "t/x.png")];
    let cases = [
        ("t/t.csv", "sub\\x.png", "t/sub/x.png"),
        ("t/t.csv", ".\\sub\\x.png", "t/sub/x.png"),
        ("t/t.csv", "sub/x", "t/sub/x.png"),
        // Common Voice's `clips`, ESC-50's `audio`, a table made at a project's root.
        ("t/t.csv", "x.png", "t/clips/x.png"),
        ("meta/t.csv", "x.png", "audio/x.png"),
        ("a/b/t.csv", "a/b/x.png", "a/b/x.png"),
    ];
    for (table, name, file) in here.into_iter().chain(cases) {
        let rows = format!("path,label\n{name},1\n{},2\n", name.replace('x', "y"));
        let other = file.replace('x', "y");
        let root = folder(&[(table, &rows), (file, ""), (&other, "")]);
        let data = Dataset::open(root.path().join(table), &pictures()).unwrap();
        let found = |at: usize| match &data.train[at].input {
            Input::File(path) => path.canonicalize().unwrap(),
            other => panic!("{other:?}"),
        };
        assert_eq!(found(0), root.path().join(file).canonicalize().unwrap(), "{name}");
        assert_eq!(found(1), root.path().join(&other).canonicalize().unwrap(), "{name}");
        let said = data.notes.iter().any(|note| note.contains("names files below"));
        assert_eq!(said, ["audio/x.png", "a/b/x.png"].contains(&file), "{name}");
    }
    let url = |root: &Path| {
        format!("path,label\nfile://{0}/x.png,1\nfile://{0}/y.png,2\n", root.display())
    };
    let root = folder(&[("x.png", ""), ("y.png", "")]);
    fs::write(root.path().join("t.csv"), url(root.path())).unwrap();
    assert_eq!(Dataset::open(root.path().join("t.csv"), &pictures()).unwrap().train.len(), 2);
    // In two places it may be either.
    let root = folder(&[("t.csv", "path,label\nx.png,1\n"), ("a/x.png", ""), ("b/x.png", "")]);
    let message = Dataset::open(root.path().join("t.csv"), &pictures()).unwrap_err().to_string();
    assert!(message.contains("names a file that is not there"), "{message}");
}

#[test]
fn lists_in_cells_are_labels() {
    let layout = Layout { task: Task::MultiLabel, ..texts() };
    let json = "text,labels\na,\"[\"\"x\"\", \"\"y\"\"]\"\nb,[]\nc,\"[\"\"y\"\"]\"\n";
    let python = "text;labels\na;\"['x', 'y']\"\nb;[]\nc;['y']\n";
    for text in [json, python] {
        assert_eq!(read("t.csv", text, &layout), ["x|y:a", ":b", "y:c"]);
        let root = folder(&[("t.csv", text)]);
        let single = Layout { label_column: Some("labels".into()), ..texts() };
        let message = Dataset::open(root.path().join("t.csv"), &single).unwrap_err().to_string();
        assert!(
            message.contains("is a list, not a text; --task multi-label takes lists"),
            "{message}"
        );
    }
}

#[test]
fn the_reader_says_how_it_read() {
    for (name, text, said) in [
        ("t.csv", "text;label\na;1\nb;2\n", "t.csv is separated by semicolons"),
        ("t.tsv", "\"a\t1\nb\t2\n", "t.tsv is read without quoting"),
    ] {
        let root = folder(&[(name, text)]);
        let data = Dataset::open(root.path().join(name), &texts()).unwrap();
        let [note] = &data.notes[..] else { panic!("{:?}", data.notes) };
        assert!(note.contains(said), "{note}");
    }
    // A header without a column of labels is one all the same.
    let root = folder(&[("t.csv", "text,mood\na,good\nb,bad\n")]);
    let message = Dataset::open(root.path().join("t.csv"), &texts()).unwrap_err().to_string();
    assert!(
        message.starts_with("--label-column: ") && message.ends_with("text, mood"),
        "{message}"
    );
}

#[test]
fn an_array_is_neither_a_table_nor_a_text() {
    for text in ["[{\"text\": \"a\", \"label\": 1}]", "[\n  {\"text\": \"a\"}\n]\n"] {
        let root = folder(&[("t.json", text)]);
        let path = root.path().join("t.json");
        let said = inputs(&path, &texts()).unwrap_err().to_string();
        assert!(said.contains("write its objects into a line each"), "{said}");
        let said = Dataset::open(&path, &texts()).unwrap_err().to_string();
        assert!(said.contains("write its objects into a line each"), "{said}");
    }
    assert_eq!(asked("t.txt", "[sic] a\n[]\n", &texts()), ["[sic] a", "[]"]);
}

#[test]
fn second_sentences_that_nobody_asked_for_are_said() {
    let notes = |text: &str| {
        let root = folder(&[("t.tsv", text)]);
        inputs(&root.path().join("t.tsv"), &texts()).unwrap().notes.concat()
    };
    let named = "premise\thypothesis\tlabel\na b\tc d\t1\n";
    assert!(notes(named).ends_with("--pair-column hypothesis makes pairs of sentences"));
    assert!(notes("a b\tc d\ne f\tg h\n").contains("column 2; --pair-column 2"));
    assert_eq!(notes("a b\t1\nc d\t0\n"), "");
    let root = folder(&[("t.tsv", &format!("{named}e\tf\t0\n"))]);
    let data = Dataset::open(root.path().join("t.tsv"), &texts()).unwrap();
    assert!(data.notes.concat().contains("does not use its column hypothesis"), "{:?}", data.notes);
}

/// Whatever their columns were called in the training.
#[test]
fn two_sentences_in_a_line_are_a_pair() {
    let column = |name: &str| Some(name.to_string());
    let saved = Layout {
        pairs: true,
        input_column: column("premise"),
        pair_column: column("hypothesis"),
        ..texts()
    };
    let root = folder(&[("t.txt", "a b\tc d\ne\tf\n"), ("u.txt", "premise\thypothesis\na\tb\n")]);
    let read = |name: &str| inputs(&root.path().join(name), &saved).unwrap().items;
    assert_eq!(read("t.txt")[0].input, Input::Pair(["a b".into(), "c d".into()]));
    assert_eq!(read("u.txt")[0].input, Input::Pair(["a".into(), "b".into()]));
}

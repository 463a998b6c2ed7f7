//! What tables say, in all their forms; groups, folds and duplicates of what they hold.

use super::*;
use crate::data::dataset::Dataset;
use crate::data::duplicates::{Duplicate, duplicates};
use crate::data::item::Item;
use crate::data::layout::Layout;
use crate::error::Location;
use crate::task::Target;

/// What a table of texts comes to.
fn read(name: &str, text: &str, layout: &Layout) -> Vec<String> {
    let root = folder(&[(name, text)]);
    let data = Dataset::open(root.path().join(name), layout).unwrap();
    shown(&data.train, &data.labels)
}

#[test]
fn json_lines_have_texts_numbers_and_truth_values() {
    for (text, expected) in [
        ("{\"text\": \"a\", \"label\": \"x\"}\n{\"label\": \"y\", \"text\": \"b\"}\n", "x:a y:b"),
        ("{\"text\": \"a\", \"label\": 1}\n\n{\"text\": \"b\", \"label\": 0.0}", "1:a 0:b"),
        (
            "{\"id\": [1, {}], \"text\": \"a\\u00e9\", \"label\": true}\r\n\
             {\"more\": null, \"text\": 7, \"label\": false}\r\n",
            "true:aé false:7",
        ),
    ] {
        for name in ["t.jsonl", "t.NDJSON"] {
            assert_eq!(read(name, text, &texts()).join(" "), expected);
        }
    }
}

#[test]
fn csv_is_that_of_rfc_4180() {
    let text = "\u{FEFF}text,label\r\n\"a, \"\"b\"\"\r\nc\",x\r\n\r\nd\"e\" , y \r\n\"\",z\r\n";
    let root = folder(&[("t.csv", text)]);
    let message = Dataset::open(root.path().join("t.csv"), &texts()).unwrap_err().to_string();
    assert!(message.contains("t.csv:6: the row has no text in column 1 of 2"), "{message}");
    let text = text.replace("\"\",z", "\"f\",\"z\"");
    assert_eq!(read("t.csv", &text, &texts()), ["x:a, \"b\"\r\nc", "y:d\"e\"", "z:f"]);
}

#[test]
fn tsv_is_quoted_as_csv_is() {
    // As pandas writes it: a tab, a line feed and quotes within a cell.
    let text = "text\tlabel\n\"a\tb\nsays \"\"c\"\"\"\tx\r\nd\t\"y\"\n\"\"\"e\"\"\"\tz\n";
    assert_eq!(read("t.tsv", text, &texts()), ["x:a\tb\nsays \"c\"", "y:d", "z:\"e\""]);
    // A quote that does not begin a cell is a part of its text, as to Python's `csv`.
    let text = "a 5\" disk\tx\nb \"c\"\ty\nit's 6\"\tz\n";
    assert_eq!(read("t.tsv", text, &texts()), ["x:a 5\" disk", "y:b \"c\"", "z:it's 6\""]);
}

#[test]
fn lines_are_counted_behind_quoted_line_feeds() {
    for (name, text) in [
        ("t.csv", "\"a\nb\r\n\nc\",x\nd,y\n\n\"e\n\",\n"),
        ("t.tsv", "\"a\nb\r\n\nc\"\tx\nd\ty\n\n\"e\n\"\t\n"),
    ] {
        let root = folder(&[(name, text)]);
        let message = Dataset::open(root.path().join(name), &texts()).unwrap_err().to_string();
        assert!(message.contains(":7: the row has no label in column 2 of 2"), "{message}");
        let whole = text.replace("\n\",\n", "\",z\n").replace("\n\"\t\n", "\"\tz\n");
        let root = folder(&[(name, &whole)]);
        let data = Dataset::open(root.path().join(name), &texts()).unwrap();
        assert_eq!(shown(&data.train, &data.labels), ["x:a\nb\r\n\nc", "y:d", "z:e"]);
        let lines: Vec<_> = data.train.iter().map(|item| item.place.line).collect();
        assert_eq!(lines, [Some(1), Some(5), Some(7)]);
    }
}

#[test]
fn a_record_is_as_long_as_the_bound_and_no_longer() {
    let layout = Layout { longest_line: 40, ..texts() };
    for (name, separator) in [("t.csv", ','), ("t.tsv", '\t')] {
        // Two lines of 20 and 19 bytes, and what is between them.
        let fits =
            format!("a{separator}x\n\"{}\n{}\"{separator}y\n", "b".repeat(19), "c".repeat(16));
        let expected = format!("y:{}\n{}", "b".repeat(19), "c".repeat(16));
        assert_eq!(read(name, &fits, &layout), ["x:a", &expected]);
        let root = folder(&[(name, &fits.replace("c\"", "cc\""))]);
        let message = Dataset::open(root.path().join(name), &layout).unwrap_err().to_string();
        let problem = ":2: the quote that opens cell 1 is not closed within 40 bytes";
        assert!(message.ends_with(&format!("{name}{problem}")), "{message}");
    }
    // Much longer than what a cell has room for at first.
    let long = "long \"\"text\"\"\n".repeat(1000);
    let expected = format!("x:{}", long.trim_end().replace("\"\"", "\""));
    let text = format!("\"{long}\"\tx\nb\ty\n");
    assert_eq!(read("t.tsv", &text, &texts()), [&expected, "y:b"]);
}

#[test]
fn pairs_have_a_second_column() {
    let layout = Layout { pair_column: Some("hypothesis".into()), ..texts() };
    let csv = "text,hypothesis,label\na,b,1\nc,d,0\n";
    assert_eq!(read("t.csv", csv, &layout), ["1:a|b", "0:c|d"]);
    // Where the first sentence has no known name, it is what is left.
    let jsonl = "{\"first\": \"a\", \"hypothesis\": \"b\", \"label\": 1}\n\
                 {\"first\": \"c\", \"hypothesis\": \"d\", \"label\": 0}\n";
    assert_eq!(read("t.jsonl", jsonl, &layout), ["1:a|b", "0:c|d"]);
    let bare = Layout { pair_column: Some("2".into()), ..texts() };
    assert_eq!(read("t.tsv", "a\tb\t1\nc\td\t0\n", &bare), ["1:a|b", "0:c|d"]);
}

#[test]
fn of_several_known_names_the_most_usual_one_counts() {
    let open = |text: &str, layout: &Layout| {
        let root = folder(&[("t.csv", text)]);
        Dataset::open(root.path().join("t.csv"), layout).unwrap()
    };
    let text = "sentence,target,text,Class\na,0,b,x\nc,1,d,y\n";
    let data = open(text, &texts());
    assert_eq!(shown(&data.train, &data.labels), ["x:b", "y:d"]);
    let said = [
        "the labels are those of the column Class; --label-column takes another: target",
        "the sentences are those of the column text; --input-column takes another: sentence",
    ];
    assert_eq!(data.notes, said);
    // What is the label cannot be the text, too.
    let layout = Layout { label_column: Some("text".into()), ..texts() };
    let data = open(text, &layout);
    assert_eq!(shown(&data.train, &data.labels), ["b:a", "d:c"]);
    assert_eq!(data.notes, [""; 0]);
    let layout = Layout { input_column: Some("sentence".into()), ..texts() };
    assert_eq!(open(text, &layout).notes, said[..1]);
}

#[test]
fn parts_of_tables_and_what_is_left_out() {
    let (one, two) = ("{\"text\": \"a\", \"label\": 1}\n", "{\"text\": \"b\", \"label\": 2}\n");
    let root = folder(&[
        ("train-00000-of-00002.jsonl", one),
        ("train-00001-of-00002.jsonl", two),
        ("test-00000-of-00001.jsonl", one),
        ("unsupervised-00000-of-00001.jsonl", two),
    ]);
    let data = Dataset::open(root.path(), &texts()).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (2, 1));
    assert_eq!(data.notes, ["not read: the table unsupervised-00000-of-00001.jsonl"]);
    assert!(data.ignored.is_empty(), "it is said once");

    let root = folder(&[("part-1.jsonl", one), ("part-2.jsonl", two), ("README.md", "")]);
    let data = Dataset::open(root.path(), &texts()).unwrap();
    assert_eq!(shown(&data.train, &data.labels), ["1:a", "2:b"]);
}

#[test]
fn folders_of_texts() {
    let root = folder(&[("good/1.txt", "fine"), ("bad/1.txt", "poor"), ("bad/2.txt", "worse")]);
    let data = Dataset::open(root.path(), &texts()).unwrap();
    assert_eq!(shown(&data.train, &data.labels), ["bad:1.txt", "bad:2.txt", "good:1.txt"]);
}

#[test]
fn a_speaker_is_on_one_side() {
    let names: Vec<String> = ["ann", "bob", "cyd", "dan", "eve", "flo"]
        .iter()
        .flat_map(|who| (0..4).map(move |i| format!("{}_{who}_{i}.png", i % 2)))
        .collect();
    let root = folder(&names.iter().map(|name| (name.as_str(), "")).collect::<Vec<_>>());
    let layout = Layout {
        group_pattern: Some(Regex::new(r"^\d_(?<group>[a-z]+)_").unwrap()),
        ..patterns(r"^(\d)_", None)
    };
    let data = || Dataset::open(root.path(), &layout).unwrap();
    let groups = |items: &[Item]| -> std::collections::BTreeSet<String> {
        items.iter().map(|item| item.group.clone().unwrap()).collect()
    };
    let mut held = data();
    held.hold_out(0.2, 1).unwrap();
    assert_eq!((held.train.len(), held.validation.len()), (20, 4));
    assert!(groups(&held.train).is_disjoint(&groups(&held.validation)));

    let mut tested = std::collections::BTreeSet::new();
    for fold in 1..=3 {
        let mut data = data();
        data.fold(3, fold, 1).unwrap();
        data.hold_out(0.2, 1).unwrap();
        assert_eq!((data.train.len(), data.validation.len(), data.test.len()), (12, 4, 8));
        assert!(groups(&data.train).is_disjoint(&groups(&data.test)));
        for group in groups(&data.test) {
            assert!(tested.insert(group), "each in one fold");
        }
    }
    assert_eq!(tested.len(), 6);
    for (folds, fold, said) in [
        (1, 1, "--folds: 1: must be at least 2"),
        (3, 4, "--fold: 4: must be from 1 to 3"),
        (3, 0, "--fold: 0: must be from 1 to 3"),
        (7, 1, "--folds: fold 7 of 7 would be empty; take fewer"),
        (1_000_000_000, 1, "--folds: 1000000000: there are 24 training samples"),
    ] {
        assert_eq!(data().fold(folds, fold, 1).unwrap_err().to_string(), said);
    }

    let narrow = Layout { group_pattern: Some(Regex::new("_([a-d]).*_").unwrap()), ..layout };
    let message = Dataset::open(root.path(), &narrow).unwrap_err().to_string();
    assert!(message.contains("has no group by --group-pattern"), "{message}");
    let of_texts = Layout { group_pattern: narrow.group_pattern, ..texts() };
    let root = folder(&[("t.tsv", "a\t1\nb\t2\n")]);
    let message = Dataset::open(root.path().join("t.tsv"), &of_texts).unwrap_err().to_string();
    assert!(message.contains("--group-column"), "{message}");
}

#[test]
fn a_column_tells_groups() {
    let layout = Layout { group_column: Some("Author".into()), ..texts() };
    let table = "text,author,label\na,x,0\nb,y,0\nc,x,1\nd,y,1\n";
    let root = folder(&[("t.csv", table)]);
    let mut data = Dataset::open(root.path().join("t.csv"), &layout).unwrap();
    data.fold(2, 1, 0).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (2, 2));
    assert_eq!(data.train[0].group, data.train[1].group);
}

#[test]
fn folds_have_nothing_to_cut_where_there_is_a_test_split_or_a_class_of_one() {
    let root = folder(&[("train.tsv", "a\t0\nb\t1\nc\t1\n"), ("test.tsv", "c\t1\n")]);
    let mut data = Dataset::open(root.path(), &texts()).unwrap();
    assert!(data.fold(2, 1, 0).unwrap_err().to_string().contains("a test split of its own"));
    let mut data = Dataset::open(root.path().join("train.tsv"), &texts()).unwrap();
    let refused = (1..=2).filter(|&fold| data.clone().fold(2, fold, 0).is_err()).count();
    assert_eq!(refused, 1, "the fold that has the only one");
    data.train[0].target = Target::Class(1);
    assert!(data.fold(2, 1, 0).is_err());
}

#[test]
fn duplicates_are_found_by_their_contents() {
    let root = folder(&[
        ("train/cat/a.png", "same"),
        ("train/cat/b.png", "other"),
        ("train/dog/c.png", "same"),
        ("test/dog/d.png", "other"),
        ("test/dog/e.png", "alone"),
    ]);
    let data = Dataset::open(root.path(), &pictures()).unwrap();
    let found = duplicates(&data);
    let places = |duplicate: &Duplicate| -> Vec<String> {
        let name =
            |place: &Location| place.path.file_name().unwrap().to_string_lossy().into_owned();
        duplicate
            .places
            .iter()
            .map(|(split, place, _)| format!("{split} {}", name(place)))
            .collect()
    };
    assert_eq!(found.len(), 2);
    assert_eq!(places(&found[0]), ["train a.png", "train c.png"]);
    assert_eq!(places(&found[1]), ["train b.png", "test d.png"]);
    assert_eq!([false, true], [found[0].across_splits(), found[1].across_splits()]);
    assert_eq!([true, true], [found[0].labels_differ(), found[1].labels_differ()]);

    let layout = Layout { pair_column: Some("2".into()), ..texts() };
    let root = folder(&[("t.tsv", "a b\tc\t1\na\tb c\t0\na b\tc\t1\n")]);
    let data = Dataset::open(root.path().join("t.tsv"), &layout).unwrap();
    let found = duplicates(&data);
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].places.iter().map(|(_, p, _)| p.line).collect::<Vec<_>>(),
        [Some(1), Some(3)]
    );
}

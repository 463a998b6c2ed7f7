//! Several labels and numbers, in all forms in which they are found; their splits; and all that can be
//! wrong with them.

use super::*;
use crate::data::dataset::{Dataset, evaluation};
use crate::data::duplicates::{Duplicate, duplicates};
use crate::data::item::Item;
use crate::data::layout::Layout;
use crate::error::Result;
use crate::task::{Target, Task};

fn asked(task: Task, columns: &str) -> Layout {
    let label_column = (!columns.is_empty()).then(|| columns.to_string());
    Layout { task, label_column, ..texts() }
}

fn open(files: &[(&str, &str)], layout: &Layout) -> Result<Dataset> {
    let root = folder(files);
    let one = files.len() == 1;
    let path = if one { root.path().join(files[0].0) } else { root.path().to_path_buf() };
    Dataset::open(path, layout)
}

#[test]
fn several_labels_in_a_cell_a_list_or_columns() {
    let semicolon = Layout { label_separator: "; ".into(), ..asked(Task::MultiLabel, "mood") };
    for (name, text, layout) in [
        ("t.csv", "text,labels\na,x|y\nb,y | z\nc,\nd,x||x\n", asked(Task::MultiLabel, "")),
        ("t.tsv", "a\tx|y\nb\ty|z\nc\t\nd\tx\n", asked(Task::MultiLabel, "")),
        ("t.csv", "text,mood\na,x; y\nb,y; z\nc,\" \"\nd,x\n", semicolon),
        (
            "t.jsonl",
            "{\"text\": \"a\", \"labels\": [\"x\", \"y\"]}\n{\"text\": \"b\", \"labels\": \"y|z\"}\n\
             {\"text\": \"c\", \"labels\": []}\n{\"text\": \"d\", \"labels\": [\"x\"]}\n",
            asked(Task::MultiLabel, ""),
        ),
        (
            "t.jsonl",
            "{\"text\": \"a\", \"labels\": [\"y\", \"x\"]}\n{\"text\": \"b\", \"labels\": [\"z\", \"y\"]}\n\
             {\"text\": \"c\", \"labels\": null}\n{\"labels\": [\"x\"], \"text\": \"d\"}\n",
            asked(Task::MultiLabel, ""),
        ),
        (
            "t.csv",
            "text,x,y,z\na,1,1,0\nb,0,true,1.0\nc,0,0,0\nd,TRUE,0,false\n",
            asked(Task::MultiLabel, "x, y,z"),
        ),
    ] {
        let data = open(&[(name, text)], &layout).unwrap();
        assert_eq!(data.labels, ["x", "y", "z"]);
        assert_eq!(shown(&data.train, &data.labels), ["x|y:a", "y|z:b", ":c", "x:d"], "{text}");
    }
    // Columns keep their order and their case.
    let data = open(&[("t.csv", "text,B,a\none,1,0\n")], &asked(Task::MultiLabel, "b,a")).unwrap();
    assert_eq!(data.labels, ["B", "a"]);
}

#[test]
fn labels_and_values_in_names() {
    let files = [("red+round_1.png", ""), ("red_2.png", ""), ("_3.png", "")];
    let layout = Layout {
        task: Task::MultiLabel,
        label_separator: "+".into(),
        ..patterns(r"^(?<label>[^_]*)_", None)
    };
    let data = open(&files, &layout).unwrap();
    assert_eq!(data.labels, ["red", "round"]);
    assert_eq!(
        shown(&data.train, &data.labels),
        [":_3.png", "red|round:red+round_1.png", "red:red_2.png"]
    );
    let files = [("train/1.5/a.png", ""), ("train/-2/b.png", ""), ("test/1e3/c.png", "")];
    let data = open(&files, &Layout { task: Task::Regression, ..pictures() }).unwrap();
    assert_eq!(data.labels, ["value"]);
    assert_eq!(shown(&data.train, &data.labels), ["-2:b.png", "1.5:a.png"]);
    assert_eq!(data.test[0].target, Target::Values(vec![1000.]));
}

#[test]
fn numbers_in_one_column_or_several() {
    let one = "text,Price,width\na, 1.5 ,-1e-3\nb,+2,4\n";
    let data = open(&[("t.csv", one)], &asked(Task::Regression, "price")).unwrap();
    assert_eq!(
        (data.labels.join(" "), data.train[1].target.clone()),
        ("Price".into(), Target::Values(vec![2.]))
    );
    let data = open(&[("t.csv", one)], &asked(Task::Regression, "width,price")).unwrap();
    assert_eq!(data.labels, ["width", "Price"]);
    assert_eq!(data.train[0].target, Target::Values(vec![-1e-3, 1.5]));
    let bare = open(&[("t.tsv", "a\t1\nb\t2\n")], &asked(Task::Regression, "")).unwrap();
    assert_eq!(bare.labels, ["value"]);
    let bare = open(&[("t.tsv", "a\t1\t3\nb\t2\t4\n")], &asked(Task::Regression, "2,3")).unwrap();
    assert_eq!(bare.labels, ["value 2", "value 3"]);
    let lines = "{\"text\": \"a\", \"score\": 3}\n{\"text\": \"b\", \"score\": 0.25}\n";
    let data = open(&[("t.jsonl", lines)], &asked(Task::Regression, "")).unwrap();
    assert_eq!(data.labels, ["score"]);
    assert_eq!(data.train[1].target, Target::Values(vec![0.25]));
}

#[test]
fn what_is_wrong_with_targets_is_said_with_its_place() {
    use Task::{MultiLabel, Regression, SingleLabel};
    let twelve: String = (0..12).map(|i| format!("text {i}\tx{i}\n")).collect();
    let table = |name: &'static str, text: &str| vec![(name, text.to_string())];
    let parts = |train: &str, test: &str| {
        vec![("train.csv", train.to_string()), ("test.csv", test.to_string())]
    };
    for (files, task, columns, said) in [
        (
            table("t.csv", "text,label\na,x\nb,\n"),
            SingleLabel,
            "",
            vec!["t.csv:3: the row has no label in column 2"],
        ),
        (
            table("t.csv", "text,price\na,1\nb,cheap\n"),
            Regression,
            "price",
            vec!["t.csv:3: the column \"price\" has \"cheap\", expected a finite number"],
        ),
        (
            table("t.csv", "text,price\na,NaN\nb,1\n"),
            Regression,
            "price",
            vec!["t.csv:2: the column \"price\" has \"NaN\""],
        ),
        (
            table("t.csv", "text,price\na,1\nb,-inf\n"),
            Regression,
            "price",
            vec!["\"-inf\", expected a finite"],
        ),
        (
            table("t.csv", "text,price\na,1\nb,1e999\n"),
            Regression,
            "price",
            vec!["t.csv:3", "\"1e999\""],
        ),
        (
            table("t.csv", "text,price\na,1\nb,\"3,5\"\n"),
            Regression,
            "price",
            vec!["t.csv:3", "\"3,5\""],
        ),
        (
            table("t.csv", "text,price\na,1\nb,\n"),
            Regression,
            "price",
            vec!["t.csv:3: the column \"price\" is empty, expected a finite number"],
        ),
        (
            table("t.csv", "text,p,q\na,x,y\nb,1,\n"),
            Regression,
            "p,q",
            vec![
                "3 values cannot be used",
                "t.csv:2: the column \"p\" has \"x\"",
                "t.csv:2: the column \"q\" has \"y\"",
                "t.csv:3: the column \"q\" is empty",
            ],
        ),
        (table("t.tsv", &twelve), Regression, "", vec!["12 values", "t.tsv:10: ", "… and 2 more"]),
        (
            table("t.jsonl", "{\"text\": \"a\", \"label\": [1]}\n"),
            Regression,
            "",
            vec![":1: the value in column 2 is a list"],
        ),
        (
            table("t.tsv", "a\t1\nb\n"),
            Regression,
            "2",
            vec!["t.tsv:2: the row has no value in column 2 of 1"],
        ),
        (
            table("t.csv", "text,p\na,1\nb,2\n"),
            Regression,
            "p,q",
            vec!["--label-column: ", "no column \"q\"", "text, p"],
        ),
        (
            table("t.csv", "text,p\na,1\nb,2\n"),
            Regression,
            "p,P",
            vec!["--label-column: names the column \"P\" twice"],
        ),
        (table("t.csv", "text,p\na,1\nb,2\n"), Regression, "p,text", vec!["is that of the inputs"]),
        (
            parts("text,label\na,x|y\n", "text,label\nb,y|z|w\n"),
            MultiLabel,
            "",
            vec!["2 labels cannot be used", "test.csv:2: the label \"z\" is not among", "\"w\""],
        ),
        (
            parts("text,label\na,1\n", "text,label\nb,one\n"),
            Regression,
            "",
            vec!["test.csv:2: the column \"label\" has \"one\""],
        ),
        (
            table("t.csv", "text,x,y\na,1,2\nb,0,\n"),
            MultiLabel,
            "x,y",
            vec![
                "2 labels",
                "t.csv:2: the column \"y\" has \"2\", expected 0 or 1",
                "t.csv:3: the column \"y\" is empty",
            ],
        ),
        (
            table("t.csv", "text,label\na,\nb,\n"),
            MultiLabel,
            "",
            vec!["no training sample has a label"],
        ),
        (
            table("t.tsv", "a\tx\nb\n"),
            MultiLabel,
            "2",
            vec!["t.tsv:2: the row has no label in column 2 of 1"],
        ),
        (
            table("t.jsonl", "{\"text\": \"a\", \"label\": [[1]]}\n"),
            MultiLabel,
            "",
            vec![":1: the label in column 2 is a list with more than texts"],
        ),
        (
            table("t.jsonl", "{\"text\": \"a\", \"x\": 1}\n"),
            MultiLabel,
            "",
            vec!["no column named labels"],
        ),
    ] {
        // A column that is given by its number needs no header.
        let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let message = open(&files, &asked(task, columns)).unwrap_err().to_string();
        for part in &said {
            assert!(message.contains(part), "{message:?} does not say {part:?}");
        }
        let listed = message.lines().count();
        assert!(listed == 1 || said.len() > 1, "{message:?} has {listed} lines");
    }
    let root = folder(&[("t.csv", "text,p\nb,2\n")]);
    let names = ["p".to_string(), "q".to_string()];
    let message = evaluation(
        root.path().join("t.csv"),
        &asked(Regression, "p"),
        asked_of(Regression, &names),
        "DATA",
    );
    let message = message.unwrap_err().to_string();
    let said = "t.csv:2: 1 column of values (p), but the training split has 2 (p, q)";
    assert!(message.contains(said), "{message}");
}

/// Each text with its target; a label each for the thirds and halves that its number is in.
fn numbered(task: Task, grouped: bool) -> Dataset {
    let row = |i: usize| {
        let labels =
            [i.is_multiple_of(2).then_some("even"), i.is_multiple_of(3).then_some("three")];
        let labels = labels.into_iter().flatten().collect::<Vec<_>>().join("|");
        format!("text {i},{labels},{i},group {}\n", i / 5)
    };
    let table: String = (0..60).map(row).collect();
    let group_column = grouped.then(|| "who".to_string());
    let column = if task == Task::Regression { "number" } else { "label" };
    let layout = Layout { group_column, ..asked(task, column) };
    open(&[("t.csv", &format!("text,label,number,who\n{table}"))], &layout).unwrap()
}

#[test]
fn splits_of_labels_and_values() {
    for (task, grouped) in [
        (Task::MultiLabel, false),
        (Task::MultiLabel, true),
        (Task::Regression, false),
        (Task::Regression, true),
    ] {
        let held = |seed| {
            let mut data = numbered(task, grouped);
            data.hold_out(0.2, seed).unwrap();
            data
        };
        let data = held(1);
        assert_eq!((data.train.len() + data.validation.len(), data.labels.is_empty()), (60, false));
        assert!((9..=15).contains(&data.validation.len()), "{task}: {}", data.validation.len());
        let lines = |data: &Dataset| -> Vec<_> {
            data.validation.iter().map(|item| item.place.line).collect()
        };
        assert_eq!(lines(&held(1)), lines(&data));
        assert_ne!(lines(&held(2)), lines(&data));
        for label in 0..data.labels.len() {
            let count = |items: &[Item]| items.iter().filter(|i| i.target.has(label)).count();
            let fraction = count(&data.validation) as f64 / count(&data.train).max(1) as f64;
            assert!((0.1..0.45).contains(&fraction), "{task}, {label}: {fraction}");
        }
        let groups = |items: &[Item]| -> std::collections::BTreeSet<_> {
            items.iter().filter_map(|item| item.group.clone()).collect()
        };
        assert!(groups(&data.train).is_disjoint(&groups(&data.validation)));
        assert_eq!(groups(&data.validation).is_empty(), !grouped);

        let mut tested = std::collections::BTreeSet::new();
        for fold in 1..=4 {
            let mut data = numbered(task, grouped);
            data.fold(4, fold, 7).unwrap();
            assert!((14..=16).contains(&data.test.len()), "{task}: {}", data.test.len());
            assert!(groups(&data.train).is_disjoint(&groups(&data.test)));
            tested.extend(data.test.iter().map(|item| item.place.line));
        }
        assert_eq!(tested.len(), 60, "{task}: each in one fold");
        let message = numbered(task, grouped).limit_per_class(3, 0).unwrap_err().to_string();
        assert!(message.starts_with("--limit-per-class: "), "{message}");
    }
}

#[test]
fn the_only_sample_of_a_label_is_not_held_out() {
    let rows: String =
        (0..40).map(|i| format!("text {i},{}\n", if i == 7 { "x|rare" } else { "x" })).collect();
    for seed in 0..10 {
        let layout = asked(Task::MultiLabel, "");
        let mut data = open(&[("t.csv", &format!("text,label\n{rows}"))], &layout).unwrap();
        data.hold_out(0.5, seed).unwrap();
        assert!(data.train.iter().any(|item| item.target.has(0)), "rare is gone with seed {seed}");
        assert!((18..=20).contains(&data.validation.len()), "{}", data.validation.len());
    }
}

#[test]
fn duplicates_with_other_targets_contradict_each_other() {
    let table = "text,label\na,1.5\na,1.5\nb,2\nb,2.5\n";
    let found = duplicates(&open(&[("t.csv", table)], &asked(Task::Regression, "")).unwrap());
    assert_eq!(found.iter().map(Duplicate::labels_differ).collect::<Vec<_>>(), [false, true]);
}

//! What is left out, and what is said of it: rows and files that cannot be used, splits without
//! labels, samples beyond a limit.

use super::*;
use crate::data::dataset::Dataset;
use crate::data::layout::{ClassLimit, Layout};
use crate::task::Task;

fn skipping(layout: Layout) -> Layout {
    Layout { skip_bad: true, ..layout }
}

#[test]
fn every_bad_row_is_named_or_left_out() {
    let lines = "{\"text\": \"a\", \"label\": 1}\nno object\n{\"label\": 2}\n\
                 {\"text\": [], \"label\": 2}\n{\"text\": \"b\", \"label\": 2}\n{\"text\": \"c\"}\n";
    let table = b"text,label\na,1\n,1\n\"b\",2\nc\nd,2,3\ncaf\xFF,2\n\"e\ne\",\ng,1\n".to_vec();
    for (name, contents, kept, bad) in [
        ("t.jsonl", lines.as_bytes(), vec!["1:a", "2:b"], vec![2, 3, 4, 6]),
        ("t.csv", &table, vec!["1:a", "2:b", "1:g"], vec![3, 5, 6, 7, 8]),
    ] {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(name);
        fs::write(&path, contents).unwrap();
        let message = Dataset::open(&path, &texts()).unwrap_err().to_string();
        let said = format!("{} sentences cannot be used (--skip-bad leaves them out):", bad.len());
        assert!(message.contains(&said), "{message}");
        let data = Dataset::open(&path, &skipping(texts())).unwrap();
        assert_eq!(shown(&data.train, &data.labels), kept);
        let lines: Vec<_> = data.bad.iter().map(|bad| bad.place.line.unwrap()).collect();
        assert_eq!(lines, bad, "{:?}", data.bad);
        for line in lines {
            assert!(message.contains(&format!("{name}:{line}: ")), "{message}");
        }
    }
}

#[test]
fn one_class_that_is_left_is_told_with_what_was_left_out() {
    let several = Layout { task: Task::MultiLabel, ..texts() };
    let words = Layout { task: Task::Tagging, ..texts() };
    for (text, layout, said) in [
        (
            "text,label\na,x\nb,\nc,y,1\n",
            texts(),
            "all samples have the label \"x\"; at least two classes are needed; 2 samples were left \
             out, the first: PATH:3: the row has no label in column 2 of 2",
        ),
        (
            "text,labels\na,\n,x\n",
            several,
            "no training sample has a label; 1 sample was left out, the first: PATH:3: the row has no \
             text in column 1 of 2",
        ),
        (
            "words,tags\na,O\nb,O B-X\n",
            words,
            "all words have the label \"O\"; at least two labels are needed; 1 sample was left out, \
             the first: PATH:3: the row has 1 word, but 2 labels",
        ),
    ] {
        let root = folder(&[("t.csv", text)]);
        let path = root.path().join("t.csv");
        let message = Dataset::open(&path, &skipping(layout)).unwrap_err().to_string();
        let said = said.replace("PATH", &path.display().to_string());
        assert_eq!(message, format!("{}: {said}", path.display()));
    }
}

#[test]
fn values_that_are_none_are_left_out_like_rows() {
    let layout = Layout { task: Task::Regression, ..texts() };
    let root = folder(&[("t.csv", "text,label\na,1\nb,cheap\nc,inf\nd,2\n")]);
    let path = root.path().join("t.csv");
    let message = Dataset::open(&path, &layout).unwrap_err().to_string();
    assert!(message.contains("2 values cannot be used (--skip-bad leaves them out)"), "{message}");
    let data = Dataset::open(&path, &skipping(layout.clone())).unwrap();
    assert_eq!((data.train.len(), data.bad.len()), (2, 2));
    // One decision made them all, so one line says it.
    let root = folder(&[("t.csv", "text;label\na;1,5\nb;-2,25\nc;3,0\n")]);
    let message = Dataset::open(root.path().join("t.csv"), &layout).unwrap_err().to_string();
    let said = "t.csv:2: the column \"label\" has \"1,5\", expected a number with a decimal point; write the \
                table with points (2 more are so)";
    assert!(message.ends_with(said), "{message}");
}

#[cfg(unix)]
#[test]
fn files_that_are_not_there_and_links_that_lead_nowhere() {
    use std::os::unix::fs::symlink;
    let root = folder(&[
        ("t.csv", "path,label\nx/a.png,cat\nx/gone.png,cat\nx/b.png,dog\n"),
        ("x/a.png", ""),
        ("x/b.png", ""),
    ]);
    let path = root.path().join("t.csv");
    let message = Dataset::open(&path, &pictures()).unwrap_err().to_string();
    assert!(message.contains("t.csv:3: names a file that is not there: "), "{message}");
    assert!(message.ends_with("x/gone.png; --skip-bad leaves it out"), "{message}");
    let data = Dataset::open(&path, &skipping(pictures())).unwrap();
    assert_eq!((data.train.len(), data.bad.len()), (2, 1));

    let root = folder(&[("cat/a.png", ""), ("dog/b.png", "")]);
    symlink("nowhere", root.path().join("dog/c.png")).unwrap();
    symlink("nowhere", root.path().join("dog/notes")).unwrap();
    let message = Dataset::open(root.path(), &pictures()).unwrap_err().to_string();
    assert!(
        message.contains("dog/c.png: cannot be read") && message.contains("--skip-bad"),
        "{message}"
    );
    let data = Dataset::open(root.path(), &skipping(pictures())).unwrap();
    assert_eq!((data.train.len(), data.bad.len()), (2, 1));
}

#[test]
fn a_split_without_labels_is_none() {
    for (none, test) in [("-1", "c\t-1\nd\t-1\n"), ("nothing", "c\t\nd\t\n")] {
        let root = folder(&[("train.tsv", "a\t0\nb\t1\n"), ("test.tsv", test)]);
        let data = Dataset::open(root.path(), &texts()).unwrap();
        assert!(data.test.is_empty(), "{none}");
        let said =
            "the test split has no labels (each is missing or -1): its 2 sentences are left out";
        assert_eq!(data.notes, [said]);
        let message =
            evaluation(root.path(), &texts(), data.config(), "DATA").unwrap_err().to_string();
        assert!(message.contains("none of its 2 sentences has a label"), "{message}");
    }
    // A class may be called so; and one label that is missing is a bad row.
    let root = folder(&[("train.tsv", "a\t-1\nb\t1\n"), ("test.tsv", "c\t-1\nd\t-1\n")]);
    let data = Dataset::open(root.path(), &texts()).unwrap();
    assert_eq!((data.test.len(), data.notes.len()), (2, 0));
    let root = folder(&[("train.tsv", "a\t0\nb\t1\n"), ("test.tsv", "c\t0\nd\t\n")]);
    let message = Dataset::open(root.path(), &texts()).unwrap_err().to_string();
    assert!(message.contains("test.tsv:2: the row has no label in column 2 of 2"), "{message}");
}

#[test]
fn a_limit_chooses_the_same_without_keeping_the_rest() {
    let table: String = (0..500).map(|i| format!("text {i}\t{}\n", (i * i) % 7 % 4)).collect();
    let root = folder(&[("train.tsv", &table), ("more/test.tsv", "x\t1\ny\t2\n")]);
    let path = root.path().join("train.tsv");
    for seed in 0..5 {
        for samples in [1, 3, 40, 1000] {
            let mut all = Dataset::open(&path, &texts()).unwrap();
            all.limit_per_class(samples, seed).unwrap();
            let limit_per_class = Some(ClassLimit { samples, seed });
            let layout = Layout { limit_per_class, ..texts() };
            let some = Dataset::open(&path, &layout).unwrap();
            assert_eq!(some.train, all.train, "{samples} by seed {seed}");
            assert_eq!(some.labels, all.labels);
        }
    }
    let layout = Layout {
        limit_per_class: Some(ClassLimit { samples: 2, seed: 0 }),
        task: Task::MultiLabel,
        ..texts()
    };
    let message = Dataset::open(&path, &layout).unwrap_err().to_string();
    assert!(message.starts_with("--limit-per-class: "), "{message}");
}
